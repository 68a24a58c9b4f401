import { createHash } from 'node:crypto';
import { chmodSync, chownSync, createWriteStream, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { chmod, lchown, readdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { extract as makeExtract } from 'tar-stream';
import { backoffMs } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import { describeError } from '../log.ts';
import type { ObjectStorage } from '../object-storage.ts';
import type { WorkspacePointer } from '../protocol.ts';
import { WorkspaceDamagedError } from './damage.ts';
import { decodeManifest, type FileEntry, type Manifest, ordinaryDirectoryMode } from './manifest.ts';
import { makeMeter } from './pack.ts';

export interface RestoreDependencies {
  root: string;
  storage: ObjectStorage;
  /** Who owns the files; null: whoever the shim is. */
  owner: { uid: number; gid: number } | null;
  clock: Clock;
}

const downloadTries = 4;
const packsAtOnce = 3;
/** Files up to here are written whole and synchronously, a tenth of the time; larger ones are streamed. */
const smallFileBytes = 256 * 1024;

/**
 * Makes the workspace folder exactly what the generation says, and verifies all of it: the manifest's hash, hash and
 * size of every pack and file. Throws `WorkspaceDamagedError` where S3 holds something else.
 */
export async function restoreWorkspace(pointer: WorkspacePointer, deps: RestoreDependencies): Promise<Manifest> {
  const manifest = await retried(deps.clock, async () => {
    const body = await collect(await found(pointer.manifestKey, deps));
    return decodeManifest(body, pointer.manifestSha256);
  });
  await empty(deps.root);
  const waiting = manifest.packs.map((_, index) => index);
  async function work(): Promise<void> {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      const pack = index;
      await retried(deps.clock, () => restorePack(manifest, pack, deps));
    }
  }
  await Promise.all(Array.from({ length: packsAtOnce }, work));
  await restoreRest(manifest, deps);
  return manifest;
}

/** S3 says 403 of what is not there to those who may not list; the server looks whether it is so. */
async function found(key: string, deps: RestoreDependencies): Promise<Readable> {
  try {
    return await deps.storage.get(key);
  } catch (error) {
    if (![403, 404].includes(statusOf(error))) throw error;
    throw new WorkspaceDamagedError(`${key} is not there: ${describeError(error)}.`, { missing: true, cause: error });
  }
}

function statusOf(error: unknown): number {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
}

async function restorePack(manifest: Manifest, index: number, deps: RestoreDependencies): Promise<void> {
  const pack = manifest.packs[index]!;
  const wanted = new Map(manifest.files.filter((file) => file.pack === index).map((file) => [file.path, file]));
  if (wanted.size === 0) return;
  const meter = makeMeter();
  const extract = makeExtract();
  const source = await found(pack.key, deps);
  let brokenOff: { error: unknown } | null = null;
  async function* download() {
    try {
      yield* source;
    } catch (error) {
      brokenOff = { error };
      throw error;
    }
  }
  const reading = pipeline(download, meter.stream, createZstdDecompress(), extract).catch((error) => {
    extract.destroy(error);
    throw error;
  });
  const writing = (async () => {
    for await (const entry of extract) {
      const file = wanted.get(entry.header.name);
      if (file === undefined) {
        entry.resume();
        continue;
      }
      await restoreFile(file, entry as unknown as AsyncIterable<Buffer>, deps);
      wanted.delete(file.path);
    }
  })();
  const [read, written] = await Promise.allSettled([reading, writing]);
  // Each side fails with the other: the cause is what was seen first.
  if (brokenOff !== null) throw (brokenOff as { error: unknown }).error;
  if (written.status === 'rejected' && isOwn(written.reason)) throw written.reason;
  for (const side of [read, written]) {
    if (side.status === 'rejected') {
      throw new WorkspaceDamagedError(`Pack ${pack.key} is damaged: ${describeError(side.reason)}.`);
    }
  }
  const { sha256, bytes } = meter.result();
  if (sha256 !== pack.sha256 || bytes !== pack.bytes) {
    throw new WorkspaceDamagedError(
      `Pack ${pack.key} has ${bytes} bytes and SHA-256 ${sha256}; its manifest says ${pack.bytes} and ${pack.sha256}.`,
    );
  }
  const [missing] = wanted.keys();
  if (missing !== undefined) throw new WorkspaceDamagedError(`Pack ${pack.key} does not hold ${missing}.`);
}

async function restoreFile(file: FileEntry, content: AsyncIterable<Buffer>, deps: RestoreDependencies): Promise<void> {
  const absolute = join(deps.root, file.path);
  makeDirectory(dirname(file.path), deps);
  const hash = createHash('sha256');
  let bytes = 0;
  async function* measured() {
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  if (file.bytes <= smallFileBytes) writeFileSync(absolute, await collect(measured()), { mode: 0o600 });
  else await pipeline(measured, createWriteStream(absolute, { mode: 0o600 }));
  const sha256 = hash.digest('hex');
  if (bytes !== file.bytes || sha256 !== file.sha256) {
    throw new WorkspaceDamagedError(
      `${file.path} has ${bytes} bytes and SHA-256 ${sha256}; its manifest says ${file.bytes} and ${file.sha256}.`,
    );
  }
  // Owner first: changing it clears the set-user-id bits.
  if (deps.owner) chownSync(absolute, deps.owner.uid, deps.owner.gid);
  chmodSync(absolute, file.mode);
  utimesSync(absolute, file.mtimeMs / 1000, file.mtimeMs / 1000);
}

/** What lies in no pack. Modes of folders come last and deepest first: a read-only one takes no more files. */
async function restoreRest(manifest: Manifest, deps: RestoreDependencies): Promise<void> {
  for (const { path } of manifest.dirs) makeDirectory(path, deps);
  for (const { path, target } of manifest.symlinks) {
    makeDirectory(dirname(path), deps);
    await symlink(target, join(deps.root, path));
    if (deps.owner) await lchown(join(deps.root, path), deps.owner.uid, deps.owner.gid);
  }
  for (const { path, mode } of manifest.dirs.toReversed()) await chmod(join(deps.root, path), mode);
}

function makeDirectory(path: string, { root, owner }: RestoreDependencies): void {
  const first = mkdirSync(join(root, path), { recursive: true });
  if (first === undefined) return;
  for (let made = join(root, path); made.length >= first.length; made = dirname(made)) {
    // Whatever the umask is.
    chmodSync(made, ordinaryDirectoryMode);
    if (owner !== null) chownSync(made, owner.uid, owner.gid);
  }
}

/** Empties the folder but keeps it: it may be a mount point. */
async function empty(root: string): Promise<void> {
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true });
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Damage that was found while writing, or what the file system says, such as a full disk. */
function isOwn(error: unknown): boolean {
  return error instanceof WorkspaceDamagedError || (error as NodeJS.ErrnoException).syscall !== undefined;
}

/** A download that breaks off is tried again; damage is not, nor what S3 refuses for good. */
async function retried<T>(clock: Clock, act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      const status = statusOf(error);
      if (error instanceof WorkspaceDamagedError || (status >= 400 && status < 500) || tries === downloadTries) {
        throw error;
      }
      await clock.sleep(backoffMs(tries));
    }
  }
}
