import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../agent/clock.ts';
import { makeS3Storage } from '../../agent/object-storage.ts';
import type { GenerationReport, WorkspacePointer } from '../../agent/protocol.ts';
import { UnreachableError } from '../../agent/runtime-client.ts';
import type { Manifest } from '../../agent/workspace/manifest.ts';
import { makeWorkspace, type Workspace } from '../../agent/workspace/workspace.ts';
import type { Cloud } from './support/cloud.ts';
import { startCloud, startShim, temporaryFolder } from './support/shim.ts';

let cloud: Cloud;
beforeEach(async () => {
  cloud = await startCloud();
});

function workspaceAt(root: string): Workspace {
  return makeWorkspace({
    root,
    writePrefix: 'agents/default/a/runtimes/r/',
    owner: null,
    clock: systemClock,
    openStorage: () =>
      makeS3Storage({
        bucket: 'bucket',
        region: 'eu-central-1',
        endpointUrl: cloud.url,
        credentials: () => ({
          accessKeyId: 'a',
          secretAccessKey: 'b',
          sessionToken: 'c',
          expiration: '2099-01-01T00:00:00Z',
        }),
      }),
    commit: async ({ generation }) => ({ generation }),
  });
}

async function saved(workspace: Workspace): Promise<GenerationReport & WorkspacePointer> {
  const report = await workspace.save();
  if (report === null) throw new Error('Nothing was saved.');
  return { ...report, lastGeneration: report.generation };
}

function manifestOf({ manifestKey }: GenerationReport): Manifest {
  return JSON.parse(cloud.bucket.objects.get(manifestKey)!.toString());
}

/** Everything that a restore must bring back, in one value to compare. */
function describeTree(root: string, path = ''): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const name of readdirSync(join(root, path))) {
    const relative = join(path, name);
    const stat = lstatSync(join(root, relative));
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) tree[relative] = { link: readlinkSync(join(root, relative)) };
    else if (stat.isDirectory()) Object.assign(tree, { [relative]: { mode } }, describeTree(root, relative));
    else {
      const sha256 = createHash('sha256')
        .update(readFileSync(join(root, relative)))
        .digest('hex');
      tree[relative] = { mode, bytes: stat.size, sha256, mtime: Math.round(stat.mtimeMs) };
    }
  }
  return tree;
}

function fill(root: string): void {
  writeFileSync(join(root, 'plain.txt'), 'plain');
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(root, 'private'), 'x', { mode: 0o600 });
  mkdirSync(join(root, 'ünï/日本 語'), { recursive: true });
  writeFileSync(join(root, 'ünï/日本 語/🙂 \'"\\.txt'), 'unicode');
  writeFileSync(join(root, `ünï/${'long-'.repeat(45)}`), 'long name');
  mkdirSync(join(root, 'hollow/inner'), { recursive: true });
  mkdirSync(join(root, 'locked'));
  writeFileSync(join(root, 'locked/file'), 'in a read-only folder');
  chmodSync(join(root, 'locked'), 0o555);
  symlinkSync('plain.txt', join(root, 'link'));
  symlinkSync('/nowhere/at all', join(root, 'ünï/dangling'));
  writeFileSync(join(root, 'big.bin'), randomBytes(9 * 1024 * 1024));
}

describe('a generation', () => {
  test('brings back every byte, name, mode, link, time and empty folder', async () => {
    const source = temporaryFolder();
    fill(source);
    const report = await saved(workspaceAt(source));
    const target = temporaryFolder();
    writeFileSync(join(target, 'left over'), 'by an earlier runtime');
    await workspaceAt(target).restore(report);
    expect(describeTree(target)).toEqual(describeTree(source));
    expect(report).toMatchObject({ generation: 1, parent: null, files: 8 });
    expect(cloud.bucket.multipartUploads).toBe(1);
  });

  test('can be opened with tar and zstd', async () => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'file'), 'content');
    const { packs } = manifestOf(await saved(workspaceAt(source)));
    const { zstdDecompressSync } = await import('node:zlib');
    const tar = zstdDecompressSync(cloud.bucket.objects.get(packs[0]!.key)!);
    expect(execFileSync('tar', ['-xO', 'file'], { input: tar }).toString()).toBe('content');
  });

  test('is not made when nothing changed, nor when only times did', async () => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'file'), 'content');
    const workspace = workspaceAt(source);
    await saved(workspace);
    expect(await workspace.save()).toBeNull();
    writeFileSync(join(source, 'file'), 'content');
    expect(await workspace.save()).toBeNull();
    expect(await workspaceAt(temporaryFolder()).save()).toBeNull();
  });

  test('packs only what changed', async () => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'stays'), randomBytes(100_000));
    writeFileSync(join(source, 'changes'), 'one');
    const workspace = workspaceAt(source);
    const first = await saved(workspace);
    writeFileSync(join(source, 'changes'), 'two');
    const second = await saved(workspace);
    expect(second).toMatchObject({ generation: 2, parent: 1 });
    const [old, added] = manifestOf(second).packs;
    expect(old).toEqual(manifestOf(first).packs[0]);
    expect(added).toMatchObject({ files: 1, contentBytes: 3 });
  });

  test('after a restore packs only what changed since', async () => {
    const source = temporaryFolder();
    fill(source);
    const first = await saved(workspaceAt(source));
    const target = temporaryFolder();
    const workspace = workspaceAt(target);
    await workspace.restore(first);
    expect(await workspace.save()).toBeNull();
    rmSync(join(target, 'plain.txt'));
    symlinkSync('private', join(target, 'plain.txt'));
    const second = await saved(workspace);
    expect(manifestOf(second).packs).toEqual(manifestOf(first).packs);
    const again = temporaryFolder();
    await workspaceAt(again).restore(second);
    expect(describeTree(again)).toEqual(describeTree(target));
  });

  test('notices a change of the same size in the same instant', async () => {
    const source = temporaryFolder();
    const workspace = workspaceAt(source);
    for (let round = 0; round < 20; round++) {
      writeFileSync(join(source, 'file'), String(round).padStart(4));
      await saved(workspace);
    }
  });

  test('packs everything anew when most of what is stored is garbage', async () => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'small'), 'small');
    writeFileSync(join(source, 'large'), randomBytes(10_000));
    const workspace = workspaceAt(source);
    await saved(workspace);
    rmSync(join(source, 'large'));
    const { packs, files } = manifestOf(await saved(workspace));
    expect(packs).toMatchObject([{ files: 1, contentBytes: 5 }]);
    expect(files).toMatchObject([{ path: 'small', pack: 0 }]);
  });

  test('never needs more than 20 packs', async () => {
    const source = temporaryFolder();
    const workspace = workspaceAt(source);
    for (let round = 0; round < 21; round++) {
      writeFileSync(join(source, `file-${round}`), `${round}`);
      await saved(workspace);
    }
    writeFileSync(join(source, 'last'), 'last');
    const report = await saved(workspace);
    expect(manifestOf(report).packs.length).toBeLessThanOrEqual(20);
    const target = temporaryFolder();
    await workspaceAt(target).restore(report);
    expect(describeTree(target)).toEqual(describeTree(source));
  });
});

describe('a save whose answer is lost', () => {
  test('is asked for again before the next one, which goes on from it', async () => {
    const root = temporaryFolder();
    const committed: GenerationReport[] = [];
    let losesAnswers = true;
    const workspace = makeWorkspace({
      root,
      writePrefix: 'agents/default/a/runtimes/r/',
      owner: null,
      clock: systemClock,
      openStorage: async () => ({
        get: () => Promise.reject(new Error('Nothing is read.')),
        async put(_key, body) {
          for await (const _ of body);
        },
      }),
      async commit(report) {
        if (!committed.some(({ manifestSha256 }) => manifestSha256 === report.manifestSha256)) {
          expect(report.parent).toBe(committed.at(-1)?.generation ?? null);
          committed.push(report);
        }
        if (losesAnswers) throw new UnreachableError('The API gave no answer.');
      },
    });
    writeFileSync(join(root, 'one'), '1');
    await expect(workspace.save()).rejects.toThrow('no answer');
    losesAnswers = false;
    writeFileSync(join(root, 'two'), '2');
    expect(await workspace.save()).toMatchObject({ generation: 2, parent: 1, files: 2 });
    expect(committed.map(({ generation }) => generation)).toEqual([1, 2]);
  });
});

describe('a save that is given up', () => {
  test('commits nothing, and the next one has its number', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'content');
    const committed: number[] = [];
    let hangs = true;
    const giveUp = new AbortController();
    const workspace = makeWorkspace({
      root,
      writePrefix: 'agents/default/a/runtimes/r/',
      owner: null,
      clock: systemClock,
      openStorage: async () => ({
        get: () => Promise.reject(new Error('Nothing is read.')),
        async put(_key, body, signal) {
          if (!hangs) for await (const _ of body);
          else {
            giveUp.abort(new Error('The time to save was over.'));
            signal?.throwIfAborted();
          }
        },
      }),
      commit: async ({ generation }) => void committed.push(generation),
    });
    await expect(workspace.save(giveUp.signal)).rejects.toThrow();
    expect(committed).toEqual([]);
    hangs = false;
    await workspace.save();
    expect(committed).toEqual([1]);
  });
});

describe('a damaged generation', () => {
  const damages: [string, (report: GenerationReport) => void, RegExp][] = [
    [
      'whose pack has a flipped bit',
      (report) => {
        const body = cloud.bucket.objects.get(manifestOf(report).packs[0]!.key)!;
        body[body.length - 10]! ^= 1;
      },
      /SHA-256|damaged/,
    ],
    [
      'whose pack is cut short',
      (report) => {
        const { key } = manifestOf(report).packs[0]!;
        cloud.bucket.objects.set(key, cloud.bucket.objects.get(key)!.subarray(0, -100));
      },
      /bytes|damaged/,
    ],
    [
      'whose manifest is another one',
      (report) => void cloud.bucket.objects.set(report.manifestKey, Buffer.from('{}')),
      /manifest has SHA-256/,
    ],
    [
      'whose pack is gone',
      (report) => void cloud.bucket.objects.delete(manifestOf(report).packs[0]!.key),
      /No such key/,
    ],
  ];
  test.each(damages)('%s is refused', async (_title, damage, message) => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'file'), randomBytes(10_000));
    const report = await saved(workspaceAt(source));
    damage(report);
    await expect(workspaceAt(temporaryFolder()).restore(report)).rejects.toThrow(message);
  });

  test('makes the shim say so and exit with 1', async () => {
    cloud.workspace = {
      generation: 4,
      manifestKey: 'agents/none',
      manifestSha256: '0'.repeat(64),
      lastGeneration: 4,
    };
    expect(await startShim(cloud).exit).toMatchObject({ code: 1 });
    expect(await cloud.called('stop')).toMatchObject({
      reason: 'workspace_failed',
      detail: expect.stringContaining('Generation 4 could not be restored'),
    });
    expect(await cloud.called('workspace/damaged')).toMatchObject({ generation: 4, missing: true });
    expect(cloud.count('claim')).toBe(0);
  });

  test('is replaced by the last good one, and the next save has a new number', async () => {
    const source = temporaryFolder();
    writeFileSync(join(source, 'notes'), 'old ');
    const good = await saved(workspaceAt(source));
    cloud.workspace = {
      generation: 4,
      manifestKey: 'agents/none',
      manifestSha256: '0'.repeat(64),
      lastGeneration: 4,
    };
    const workspace = { ...good, lastGeneration: 4 };
    cloud.override('workspace/damaged', () => ({ status: 200, body: { workspace } }));
    cloud.config.driver = { type: 'command', command: ['bash', '-c', 'cat >> notes; cat notes'] };
    cloud.config.idleTimeoutSeconds = 0;
    cloud.submit('tsk_1', { input: 'new' });
    expect(await startShim(cloud).exit).toMatchObject({ code: 0 });
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'old new' });
    expect(await cloud.called('workspace')).toMatchObject({ generation: 5, parent: 1 });
  });
});

describe('the shim', () => {
  const append = { type: 'command' as const, command: ['bash', '-c', 'cat >> notes; cat notes'] };

  test('commits a generation before the task completes, and the next runtime finds the files', async () => {
    cloud.config.driver = append;
    cloud.config.idleTimeoutSeconds = 0;
    cloud.submit('tsk_1', { input: 'one ' });
    await startShim(cloud).exit;
    const routes = cloud.calls.map(({ route }) => route);
    expect(routes.indexOf('workspace')).toBeLessThan(routes.indexOf('tasks/tsk_1/complete'));
    expect(cloud.count('workspace')).toBe(1);
    cloud.workspace = { ...((await cloud.called('workspace')) as unknown as WorkspacePointer), lastGeneration: 1 };
    cloud.submit('tsk_2', { input: 'two' });
    await startShim(cloud).exit;
    expect(await cloud.called('tasks/tsk_2/complete')).toMatchObject({ output: 'one two' });
    expect(await cloud.called('workspace', ({ generation }) => generation === 2)).toMatchObject({ parent: 1 });
  });

  test('keeps to the interval between saves, and saves at the end', async () => {
    cloud.config.driver = append;
    cloud.config.workspace.minSaveIntervalSeconds = 60;
    cloud.config.idleTimeoutSeconds = 0;
    for (const id of ['tsk_1', 'tsk_2', 'tsk_3']) cloud.submit(id, { input: id });
    await startShim(cloud).exit;
    expect(cloud.calls.map(({ route }) => route).filter((route) => /workspace|complete|stop/.test(route))).toEqual([
      'workspace',
      'tasks/tsk_1/complete',
      'tasks/tsk_2/complete',
      'tasks/tsk_3/complete',
      'workspace',
      'stop',
    ]);
  });

  test('saves nothing where the template says so', async () => {
    cloud.config.driver = append;
    cloud.config.workspace.enabled = false;
    cloud.config.idleTimeoutSeconds = 0;
    cloud.submit('tsk_1', { input: 'one' });
    await startShim(cloud).exit;
    expect(cloud.bucket.written).toEqual([]);
  });

  test('completes a task whose files could not be saved, and does not stop idle without them', async () => {
    cloud.config.driver = append;
    cloud.config.idleTimeoutSeconds = 0;
    cloud.bucket.failWrites = true;
    cloud.submit('tsk_1', { input: 'one' });
    const shim = startShim(cloud);
    await cloud.called('tasks/tsk_1/complete');
    expect(shim.log.join('')).toContain('could not be saved');
    expect(cloud.count('stop')).toBe(0);
  });
});
