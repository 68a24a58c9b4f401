import type { Readable } from 'node:stream';
import { makeLineSplitter } from '../line-splitter.ts';
import type { DriverTask, Spent } from './driver.ts';

/** Where a command writes what it has spent: a line of JSON each time. */
export const usageFd = 3;

/** @throws Error that says what was given and what is allowed */
export function parseSpent(what: string, value: unknown): Spent {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`${what} was given ${JSON.stringify(value)}; an object like ${example} is allowed.`);
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`${what} was given "${unknown}"; ${names.join(', ')} are allowed.`);
  const { input = 0, output = 0, costUsd = 0 } = value as Partial<Record<keyof Spent, unknown>>;
  const amount = (name: string, given: unknown) => checkAmount(`${what} ${name}`, given, Number.MAX_SAFE_INTEGER);
  return { input: amount('input', input), output: amount('output', output), costUsd: amount('costUsd', costUsd) };
}

/** @throws Error unless `value` is a number from 0 to `most` */
export function checkAmount(what: string, value: unknown, most: number): number {
  if (typeof value === 'number' && value >= 0 && value <= most) return value;
  throw new Error(`${what} was given ${String(value)}; a number from 0 to ${most} is allowed.`);
}

/** Reads what a command says that it has spent. What can't be read is said in the task's log. */
export function readSpent(stream: Readable, { onSpent, onLine }: DriverTask): void {
  const splitter = makeLineSplitter((line) => {
    try {
      onSpent(parseSpent('ROUSE_USAGE_FD', fromJson(line)));
    } catch (error) {
      onLine('system', (error as Error).message);
    }
    return true;
  });
  stream.on('data', splitter.push);
  stream.on('close', splitter.end);
}

const names = ['input', 'output', 'costUsd'];
const example = '{"input": 1200, "output": 300, "costUsd": 0.01}';

/** What is not JSON is taken as the text that it is, and refused as such. */
function fromJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
