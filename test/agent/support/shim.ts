import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readEnvironment } from '../../../agent/environment.ts';
import { makeLog } from '../../../agent/log.ts';
import type { Exit } from '../../../agent/loop.ts';
import { runRuntime } from '../../../agent/runtime.ts';
import { Cloud } from './cloud.ts';

export const entry = join(import.meta.dirname, '../../../agent/shim.ts');

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-shim-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function startCloud(): Promise<Cloud> {
  const cloud = await Cloud.start();
  onTestFinished(() => cloud.stop());
  return cloud;
}

export interface TestShim {
  workspace: string;
  log: string[];
  terminate(): void;
  exit: Promise<Exit>;
}

/** A shim in this process, with real child processes. It is told to stop when the test ends. */
export function startShim(cloud: Cloud, { env = {}, workspace = temporaryFolder() } = {}): TestShim {
  const allEnv = { ...cloud.env(workspace), ...env };
  const log: string[] = [];
  const terminated = new AbortController();
  const exit = runRuntime({
    environment: readEnvironment(allEnv),
    env: allEnv,
    entry,
    log: makeLog((line) => log.push(line)),
    terminated: terminated.signal,
  });
  onTestFinished(async () => {
    terminated.abort();
    cloud.bucket.failWrites = false;
    await exit.catch(() => {});
  });
  return { workspace, log, terminate: () => terminated.abort(), exit };
}

/** The shim as the process that it is in a container. */
export function spawnShim(cloud: Cloud, { env = {}, workspace = temporaryFolder() } = {}) {
  const child = spawn(process.execPath, [entry], {
    env: { ...cloud.env(workspace), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { workspace, child, exit, output: () => output };
}
