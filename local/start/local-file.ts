import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findProcess } from '../services/ecs/process-table.ts';

/** Where a running local stack can be reached: what `.rouse/local.json` says. */
export interface LocalStack {
  apiUrl: string;
  apiKey: string;
  awsEndpointUrl: string;
  pid: number;
}

const answerTimeoutMs = 2000;

export function localFile(root: string): string {
  return join(root, '.rouse', 'local.json');
}

/** The local stack that runs now, or undefined when there is none or its file is a leftover. */
export async function runningStack(root: string): Promise<LocalStack | undefined> {
  const path = localFile(root);
  if (!existsSync(path)) return undefined;
  try {
    const stack = JSON.parse(readFileSync(path, 'utf8')) as LocalStack;
    if (!findProcess(stack.pid)) return undefined;
    await fetch(`${stack.apiUrl}/v1/health`, { signal: AbortSignal.timeout(answerTimeoutMs) });
    return stack;
  } catch {
    return undefined;
  }
}

/** Holds the API key, so only its owner may read it. It is there with all of its content, or not at all. */
export function writeLocalFile(root: string, stack: LocalStack): void {
  const path = localFile(root);
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify(stack, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, path);
}

/** Removes the file, unless another stack has written its own since. */
export function removeLocalFile(root: string): void {
  const path = localFile(root);
  try {
    const { pid } = JSON.parse(readFileSync(path, 'utf8')) as LocalStack;
    if (pid === process.pid) rmSync(path, { force: true });
  } catch {
    // There is none.
  }
}
