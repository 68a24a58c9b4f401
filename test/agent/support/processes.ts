import { readFileSync } from 'node:fs';

/** Whether a process runs. A zombie doesn't: it only waits for somebody to read its exit code. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.startsWith('Z') !== true;
  } catch {
    return false;
  }
}
