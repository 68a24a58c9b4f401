import type { Readable } from 'node:stream';
import { makeLineSplitter } from '../line-splitter.ts';
import type { DriverTask, Spent } from './driver.ts';

/** Where a command writes what it has spent: a line of JSON each time. */
export const usageFd = 3;

/** The most that can be told at once. */
const most: Spent = { input: 1e9, output: 1e9, costUsd: 1e6 };
const names = Object.keys(most) as (keyof Spent)[];
const example = '{"input": 1200, "output": 300, "costUsd": 0.01}';

/** @returns what was spent, or a sentence that says what was given and what is allowed */
export function parseSpent(what: string, value: unknown): Spent | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${what} was given ${JSON.stringify(value)?.slice(0, 200)}; an object like ${example} is allowed.`;
  }
  const given = value as Partial<Record<keyof Spent, unknown>>;
  const spent: Spent = { input: 0, output: 0, costUsd: 0 };
  const unknown = Object.keys(given).find((name) => !(names as string[]).includes(name));
  if (unknown !== undefined) return `${what} was given "${unknown.slice(0, 200)}"; ${names.join(', ')} are allowed.`;
  for (const name of names) {
    const amount = given[name] ?? 0;
    if (typeof amount !== 'number' || !(amount >= 0 && amount <= most[name]))
      return `${what} ${name} was given ${String(amount).slice(0, 200)}; a number from 0 to ${most[name]} is allowed.`;
    spent[name] = amount;
  }
  return spent;
}

/** So many lines that can't be read are told of; a program that writes nonsense writes a lot of it. */
const mostComplaints = 20;

/** Reads what a command says that it has spent. What can't be read is said in the task's log. */
export function readSpent(stream: Readable, { onSpent, onLine }: DriverTask): void {
  let complaints = 0;
  const splitter = makeLineSplitter((whole) => {
    const line = whole.trim();
    // Nonsense must not cost more than reading it.
    if (line === '' || (complaints >= mostComplaints && !line.startsWith('{'))) return true;
    const spent = parseSpent('ROUSE_USAGE_FD', fromJson(line));
    if (typeof spent !== 'string') onSpent(spent);
    else if (complaints++ < mostComplaints) onLine('system', spent);
    return true;
  });
  stream.on('data', splitter.push);
  stream.on('close', splitter.end);
}

/** What is not JSON is taken as the text that it is, and refused as such. */
function fromJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}
