import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProcess } from '../../local/services/ecs/process-table.ts';
import { DataFolder } from '../../local/start/data-folder.ts';
import { localFile, removeLocalFile, runningStack, writeLocalFile } from '../../local/start/local-file.ts';
import { nextSteps } from '../../local/start/next-steps.ts';
import { startStack } from '../../local/start/stack.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rouse-start-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const stack = {
  apiUrl: 'http://127.0.0.1:9',
  apiKey: 'rouse_x',
  awsEndpointUrl: 'http://127.0.0.1:10',
  pid: process.pid,
};

describe('.rouse/local.json', () => {
  it('is whole for whoever reads it while it is written', async () => {
    const over = new Int32Array(new SharedArrayBuffer(4));
    writeLocalFile(root, stack);
    const reader = new Worker(
      `const { readFileSync } = require('node:fs');
      const { workerData: { path, over }, parentPort } = require('node:worker_threads');
      let broken = 0;
      while (Atomics.load(over, 0) === 0) {
        try { JSON.parse(readFileSync(path, 'utf8')); } catch (error) { if (error.code !== 'ENOENT') broken += 1; }
      }
      parentPort.postMessage(broken);`,
      { eval: true, workerData: { path: localFile(root), over } },
    );
    await once(reader, 'online');
    for (let n = 0; n < 500; n++) writeLocalFile(root, stack);
    Atomics.store(over, 0, 1);
    expect(await once(reader, 'message')).toEqual([0]);
  });

  it('can be read by its owner only and goes away in the end', () => {
    writeLocalFile(root, stack);
    expect(statSync(localFile(root)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(localFile(root), 'utf8'))).toEqual(stack);
    removeLocalFile(root);
    expect(() => statSync(localFile(root))).toThrow('ENOENT');
  });

  it('is a leftover when its process is gone or does not answer', async () => {
    expect(await runningStack(root)).toBeUndefined();
    writeLocalFile(root, { ...stack, pid: 2 ** 30 });
    expect(await runningStack(root)).toBeUndefined();
    writeLocalFile(root, stack);
    expect(await runningStack(root)).toBeUndefined();
  });

  it('of another process is left alone', () => {
    writeLocalFile(root, { ...stack, pid: 2 ** 30 });
    removeLocalFile(root);
    expect(statSync(localFile(root)).isFile()).toBe(true);
  });
});

describe('a data folder', () => {
  it('that it makes can be read by its owner only', () => {
    const { path } = DataFolder.open(join(root, 'state'));
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('remembers the ports', () => {
    DataFolder.open(root).savePorts({ aws: 1, api: 2 });
    expect(DataFolder.open(root).ports()).toEqual({ aws: 1, api: 2 });
  });

  it('is refused while a living process holds it', () => {
    const identity = findProcess(process.ppid)!.identity;
    writeFileSync(join(root, 'lock.json'), JSON.stringify({ pid: process.ppid, identity }));
    expect(() => DataFolder.open(root)).toThrow(`is in use by process ${process.ppid}`);
  });

  it('is taken over when its holder has died, even if the pid lives again', () => {
    writeFileSync(join(root, 'lock.json'), JSON.stringify({ pid: process.ppid, identity: 'another start time' }));
    expect(DataFolder.open(root).path).toBe(root);
  });

  it('without a path is temporary', () => {
    const folder = DataFolder.open(undefined);
    folder.close();
    expect(() => statSync(folder.path)).toThrow('ENOENT');
  });
});

describe('a started stack', () => {
  it('tells its steps, serves the API with its first key, and keeps key and ports on a data folder', async () => {
    const lines: string[] = [];
    const first = await startStack({ port: 0, dataDir: root, print: (line) => lines.push(line) });
    const health = await fetch(`${first.apiUrl}/v1/health`);
    const agents = await fetch(`${first.apiUrl}/v1/agents`, { headers: { authorization: `Bearer ${first.apiKey}` } });
    const inUse = startStack({ port: Number(new URL(first.apiUrl).port) });
    await expect(inUse).rejects.toThrow(/Port \d+ is taken by another program/);
    await first.stop();
    expect([health.status, agents.status]).toEqual([200, 200]);
    expect(lines.map((line) => line.split('…')[0])).toEqual([
      'Synthesizing the CDK app',
      'Deploying it to the embedded AWS',
      'Making the first API key',
    ]);
    const second = await startStack({ port: 0, dataDir: root });
    await second.stop();
    expect([second.apiKey, second.apiUrl, second.awsEndpointUrl]).toEqual([
      first.apiKey,
      first.apiUrl,
      first.awsEndpointUrl,
    ]);
  });
});

it('the commands to paste carry the real values', () => {
  const text = nextSteps(stack);
  expect(text).toContain(`curl -sS -X PUT ${stack.apiUrl}/v1/templates/words -H 'Authorization: Bearer rouse_x'`);
  expect(text).toContain('waitSeconds=25');
});
