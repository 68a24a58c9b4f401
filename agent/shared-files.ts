import { chownSync, createWriteStream, lstatSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { glob, lstat, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { extract as makeExtract, pack as makeTar } from 'tar-stream';
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { describeError } from './log.ts';
import type { Failure, SharedFiles } from './protocol.ts';

/** Files that a task gives to other tasks, and gets from them: a pack in S3 for each task that gives some. */

/** What one task may give. The pack is made in memory. */
const mostBytes = 100_000_000;
/** With what tar adds to many small files. */
const mostUnpackedBytes = 2 * mostBytes;
const tries = 4;

export interface Owner {
  uid: number;
  gid: number;
}

/** Regular files of the workspace that match, sorted. What links out of the workspace is left out. */
export async function matchingFiles(
  workspace: string,
  patterns: string[],
): Promise<{ path: string; absolute: string; bytes: number; mode: number }[]> {
  const root = await realpath(workspace);
  const paths = new Set<string>();
  for await (const path of glob(patterns, { cwd: root })) paths.add(path);
  const files = [];
  for (const path of [...paths].sort()) {
    const absolute = join(root, path);
    const stat = await lstat(absolute);
    if (!stat.isFile() || relative(root, await realpath(absolute)).startsWith('..')) continue;
    files.push({ path: path.split(sep).join('/'), absolute, bytes: stat.size, mode: stat.mode & 0o777 });
  }
  return files;
}

/** A pack of the files that match. One without files is a pack too: whoever wants it need not ask whether it is there. */
export async function packFiles(workspace: string, patterns: string[]): Promise<Buffer | { failure: Failure }> {
  const files = await matchingFiles(workspace, patterns);
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  if (total > mostBytes) {
    const message = `The files that match ${patterns.join(', ')} have ${total} bytes; a task may export ${mostBytes}.`;
    return { failure: { code: 'output_too_large', message } };
  }
  const tar = makeTar();
  for (const { path, absolute, mode } of files) tar.entry({ name: path, mode }, readFileSync(absolute));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  return zstdCompressSync(Buffer.concat(chunks));
}

/** Puts what other tasks gave into the workspace; a file that is there already is replaced. */
export async function unpackAll(
  imports: readonly SharedFiles[],
  workspace: string,
  owner: Owner | null,
  deps: { fetch: typeof fetch; clock: Clock; signal: AbortSignal },
): Promise<{ failure: Failure } | undefined> {
  for (const one of imports) {
    try {
      await unpack(await download(one.url, deps), join(workspace, one.folder ?? ''), workspace, owner);
    } catch (error) {
      const message = `The files of the step "${one.step}" could not be brought into the workspace: ${describeError(error)}.`;
      return { failure: { code: 'input_unavailable', message } };
    }
  }
  return undefined;
}

async function download(
  url: string,
  { fetch, clock, signal }: { fetch: typeof globalThis.fetch; clock: Clock; signal: AbortSignal },
): Promise<Buffer> {
  for (let tried = 1; ; tried++) {
    try {
      const response = await fetch(url, { signal });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.ok) return body;
      if (response.status < 500 || tried === tries) throw new Error(`HTTP ${response.status}`);
    } catch (error) {
      if (tried === tries || signal.aborted) throw error;
    }
    await clock.sleep(backoffMs(tried), signal);
  }
}

async function unpack(pack: Buffer, folder: string, workspace: string, owner: Owner | null): Promise<void> {
  const extract = makeExtract();
  extract.end(zstdDecompressSync(pack, { maxOutputLength: mostUnpackedBytes }));
  const root = realpathSync(workspace);
  for await (const entry of extract) {
    const path = join(folder, entry.header.name);
    if (entry.header.type !== 'file' || relative(folder, path).startsWith('..')) {
      throw new Error(`the pack holds ${entry.header.name}, which is no file inside`);
    }
    makeFolder(dirname(path), root, owner);
    // A link that a program left there must lead nowhere: the shim may write what the program may not.
    rmSync(path, { recursive: true, force: true });
    const mode = entry.header.mode ?? 0o644;
    await pipeline(entry, createWriteStream(path, { mode, flags: 'wx' }));
    if (owner) chownSync(path, owner.uid, owner.gid);
  }
}

function makeFolder(folder: string, root: string, owner: Owner | null): void {
  if (!lstatSync(folder, { throwIfNoEntry: false })) {
    makeFolder(dirname(folder), root, owner);
    mkdirSync(folder);
    if (owner) chownSync(folder, owner.uid, owner.gid);
  }
  const real = realpathSync(folder);
  if (real !== root && !real.startsWith(`${root}${sep}`)) throw new Error(`${folder} leads out of the workspace`);
}
