/**
 * `npm run bench:workspace`: what a save of a large workspace costs when little of it changed, as shares of a full save
 * in the same run. The bucket is a folder, so this is the shim's own work: looking, hashing, compressing, writing.
 */

import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../agent/clock.ts';
import type { ObjectStorage } from '../agent/object-storage.ts';
import { makeWorkspace, type Workspace } from '../agent/workspace/workspace.ts';
import { table } from './table.ts';

const mebibyte = 1024 * 1024;

/** Half of each file is noise and half is text, like code with its libraries and pictures. */
function content(bytes: number, seed: string): Buffer {
  const text = createHash('sha256')
    .update(seed)
    .digest('hex')
    .repeat(Math.ceil(bytes / 128));
  return Buffer.concat([randomBytes(bytes / 2), Buffer.from(text)]).subarray(0, bytes);
}

/** A bucket in a folder, which counts what it gets. */
class FolderStorage implements ObjectStorage {
  written = 0;
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async get(key: string): Promise<Readable> {
    return createReadStream(this.path(key));
  }

  async put(key: string, body: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
    await pipeline(Readable.from(body), createWriteStream(this.path(key)), { signal });
    this.written += statSync(this.path(key)).size;
  }

  private path(key: string): string {
    return join(this.folder, key.replaceAll('/', '~'));
  }
}

interface Measured {
  what: string;
  seconds: number;
  bytes: number;
}

async function measure(folder: string, fileCount: number): Promise<Measured[]> {
  const root = join(folder, 'workspace');
  const bucket = join(folder, 'bucket');
  mkdirSync(root);
  mkdirSync(bucket);
  for (let i = 0; i < fileCount; i++) writeFileSync(join(root, `file-${i}`), content(mebibyte, `${i}`));
  const storage = new FolderStorage(bucket);
  const open = (path: string): Workspace =>
    makeWorkspace({
      root: path,
      writePrefix: 'runtime/',
      owner: null,
      clock: systemClock,
      openStorage: async () => storage,
      commit: async () => {},
    });
  const results: Measured[] = [];
  const timed = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const before = storage.written;
    const startMs = performance.now();
    const value = await act();
    results.push({ what, seconds: (performance.now() - startMs) / 1000, bytes: storage.written - before });
    return value;
  };
  const change = (path: string, name: string) => writeFileSync(join(path, name), content(mebibyte, `${Date.now()}`));

  const first = open(root);
  await timed('all of it, the first time', () => first.save());
  await timed('nothing changed', () => first.save());
  change(root, 'file-3');
  const saved = await timed('1 MiB changed', () => first.save());
  if (!saved) throw new Error('Nothing was saved.');
  const other = join(folder, 'woken');
  mkdirSync(other);
  const second = open(other);
  await timed('brought back by the next runtime', () => second.restore({ ...saved, lastGeneration: saved.generation }));
  change(other, 'file-5');
  await timed('1 MiB changed in the next runtime', () => second.save());
  return results;
}

function render(results: Measured[], fileCount: number): string {
  const full = results[0]!;
  const rows = results.map(({ what, seconds, bytes }) => [
    what,
    seconds.toFixed(2),
    `${((seconds / full.seconds) * 100).toFixed(1)} %`,
    (bytes / mebibyte).toFixed(1),
    `${((bytes / full.bytes) * 100).toFixed(2)} %`,
  ]);
  const head = ['', 'seconds', 'of the full save', 'MiB written', 'of the full save'];
  return `Saving a workspace of ${fileCount} files of 1 MiB\n${table([head, ...rows])}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { files: { type: 'string', default: '1024' } } });
  const fileCount = Number(values.files);
  const folder = mkdtempSync(join(tmpdir(), 'rouse-bench-'));
  try {
    console.log(render(await measure(folder, fileCount), fileCount));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await main();
