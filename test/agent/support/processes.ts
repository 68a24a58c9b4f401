import { readFileSync } from 'node:fs';

/** Whether a process runs. A zombie doesn't (it only waits for somebody to read its exit code), nor what is being reaped. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^[ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1) ?? '');
  } catch {
    return false;
  }
}
