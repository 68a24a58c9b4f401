import { readFileSync } from 'node:fs';
import { findProcess } from '../../../local/services/ecs/process-table.ts';

/** Whether a process runs; a zombie doesn't. */
export function isAlive(pid: number): boolean {
  return findProcess(pid) !== undefined;
}

/** Numbers in a file, one a line; none while it is not there. */
export function numbersIn(file: string): number[] {
  return linesOf(file).map(Number);
}

export function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
