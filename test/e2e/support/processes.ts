import { readFileSync } from 'node:fs';
import { findProcess, processesWithVariable } from '../../../local/services/ecs/process-table.ts';

/** Whether a process runs; a zombie doesn't. */
export function isAlive(pid: number): boolean {
  return findProcess(pid) !== undefined;
}

/** Numbers in a file, one a line; none while it is not there. */
export function numbersIn(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** The shim of a runtime: the process of its environment that leads it and runs no task. */
export function shimOf(runtimeId: string): number {
  const shims = processesWithVariable('ROUSE_RUNTIME_ID', runtimeId).filter((pid) => {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return !environment.some((entry) => entry.startsWith('ROUSE_TASK_ID='));
  });
  if (shims.length === 1) return shims[0]!;
  throw new Error(`The runtime ${runtimeId} has ${shims.length} shims.`);
}
