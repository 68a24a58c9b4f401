import { type ChildProcess, spawn } from 'node:child_process';

/** Runs its arguments, and kills them when standard input ends. */
const endsWithInput = 'exec 3<&0; "$@" & pid=$!; { cat <&3; kill -9 $pid; } >/dev/null 2>&1 & wait $pid';

/**
 * A child that does not outlive this process, however that ends: also by SIGKILL, its end of the pipe closes then. In
 * a group of its own Ctrl-C does not reach the child before.
 */
export function spawnMortal(command: readonly string[]): { child: ChildProcess; stop(): Promise<void> } {
  const child = spawn('sh', ['-c', endsWithInput, 'sh', ...command], { stdio: 'pipe', detached: true });
  const stopped = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = () => {
    child.stdin.end();
    return stopped;
  };
  return { child, stop };
}
