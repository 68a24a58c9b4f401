import { createHash, type Hash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { pack as makeTar, type Pack } from 'tar-stream';
import type { ObjectStorage } from '../object-storage.ts';
import type { PackEntry } from './manifest.ts';
import type { ScannedFile } from './scan.ts';

/** Files up to here are read whole and synchronously, a tenth of the time; larger ones are streamed. */
const smallFileBytes = 256 * 1024;
const blockBytes = 256 * 1024;
/** The fastest: a save must fit into the time between SIGTERM and SIGKILL. */
const compressionLevel = 1;

export interface PackedFile {
  sha256: string;
  bytes: number;
}

/**
 * Streams files into one pack in S3; memory use does not depend on their size. Throws if a file changes its size
 * meanwhile.
 */
export async function writePack(
  root: string,
  files: Map<string, ScannedFile>,
  key: string,
  storage: ObjectStorage,
  signal?: AbortSignal,
): Promise<{ pack: PackEntry; packed: Map<string, PackedFile> }> {
  const tar = makeTar();
  const packed = new Map<string, PackedFile>();
  const compressed = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: compressionLevel } });
  const meter = makeMeter();
  // One failing part ends all: the others would wait for it for ever.
  const broken = new AbortController();
  const stop = signal ? AbortSignal.any([signal, broken.signal]) : broken.signal;
  const parts = [
    fill(tar, root, files, packed),
    pipeline(inBlocks(tar as unknown as AsyncIterable<Buffer>), compressed, meter.stream, { signal: stop }),
    storage.put(key, meter.stream, stop),
  ].map((part) =>
    part.catch((error) => {
      broken.abort(error);
      tar.destroy(error);
      throw error;
    }),
  );
  await firstFailure(parts);
  let contentBytes = 0;
  for (const { bytes } of packed.values()) contentBytes += bytes;
  return { pack: { key, ...meter.result(), files: packed.size, contentBytes }, packed };
}

/** Gathers what tar writes piece by piece: each piece would be a trip of its own to the compressing thread. */
async function* inBlocks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    gathered.push(piece);
    bytes += piece.length;
    if (bytes < blockBytes) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}

/** Waits for all and throws the first failure: the later ones are only its echoes. */
async function firstFailure(parts: Promise<unknown>[]): Promise<void> {
  let first: { error: unknown } | null = null;
  await Promise.all(
    parts.map((part) =>
      part.catch((error) => {
        first ??= { error };
      }),
    ),
  );
  if (first !== null) throw (first as { error: unknown }).error;
}

async function fill(
  tar: Pack,
  root: string,
  files: Map<string, ScannedFile>,
  packed: Map<string, PackedFile>,
): Promise<void> {
  // tar-stream never calls back about an entry that nobody reads any more.
  const closed = new Promise<void>((resolve) => tar.once('close', resolve));
  for (const [path, file] of files) {
    if (tar.destroyed) return;
    const hash = createHash('sha256');
    const bytes =
      file.bytes <= smallFileBytes
        ? await addSmall(tar, join(root, path), path, file, hash, closed)
        : await addLarge(tar, join(root, path), path, file, hash);
    packed.set(path, { sha256: hash.digest('hex'), bytes });
  }
  tar.finalize();
}

async function addSmall(
  tar: Pack,
  absolute: string,
  path: string,
  file: ScannedFile,
  hash: Hash,
  closed: Promise<void>,
): Promise<number> {
  const content = readFileSync(absolute);
  hash.update(content);
  const added = new Promise<void>((resolve, reject) => {
    tar.entry(headerOf(path, file, content.length), content, (error) => (error ? reject(error) : resolve()));
  });
  await Promise.race([added, closed]);
  return content.length;
}

async function addLarge(tar: Pack, absolute: string, path: string, file: ScannedFile, hash: Hash): Promise<number> {
  const entry = tar.entry(headerOf(path, file, file.bytes));
  let bytes = 0;
  await pipeline(
    createReadStream(absolute, { end: file.bytes - 1, highWaterMark: 256 * 1024 }),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
      if (bytes !== file.bytes)
        throw new Error(`${path} shrank from ${file.bytes} to ${bytes} bytes while it was saved.`);
    },
    entry,
  );
  return bytes;
}

function headerOf(path: string, file: ScannedFile, size: number) {
  return { name: path, size, mode: file.mode, mtime: new Date(file.mtimeMs), type: 'file' as const };
}

/** Passes bytes on, and hashes and counts them. */
export function makeMeter() {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, result: () => ({ sha256: hash.digest('hex'), bytes }) };
}
