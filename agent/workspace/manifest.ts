import { createHash } from 'node:crypto';
import { WorkspaceDamagedError } from './damage.ts';

/** One generation of an agent's files: what there is, and in which packs it lies. */
export interface Manifest {
  version: 1;
  generation: number;
  parent: number | null;
  /** Sorted by path. Paths are relative, with `/`. */
  files: FileEntry[];
  symlinks: { path: string; target: string }[];
  /** Folders that the files alone don't bring back: empty ones, and ones with a mode of their own. */
  dirs: { path: string; mode: number }[];
  packs: PackEntry[];
  totals: { files: number; bytes: number };
}

export interface FileEntry {
  path: string;
  bytes: number;
  /** Permission bits, as in `chmod`. */
  mode: number;
  mtimeMs: number;
  sha256: string;
  /** Index into `packs`. */
  pack: number;
}

/** A tar archive, compressed with zstd. */
export interface PackEntry {
  key: string;
  /** Of the compressed pack. */
  sha256: string;
  /** Size of the compressed pack. */
  bytes: number;
  /** How many files it holds, wanted or not. */
  files: number;
  /** Sum of the sizes of the files it holds. */
  contentBytes: number;
}

/** A folder with this mode needs no entry of its own. */
export const ordinaryDirectoryMode = 0o755;

export function encodeManifest(manifest: Manifest): { body: Buffer; sha256: string } {
  const body = Buffer.from(JSON.stringify(manifest));
  return { body, sha256: sha256Of(body) };
}

/** Throws `WorkspaceDamagedError` unless the body has the expected hash and only paths inside the workspace. */
export function decodeManifest(body: Buffer, expectedSha256: string): Manifest {
  const sha256 = sha256Of(body);
  if (sha256 !== expectedSha256) {
    throw new WorkspaceDamagedError(`The manifest has SHA-256 ${sha256}, but ${expectedSha256} was committed.`);
  }
  const manifest = JSON.parse(body.toString('utf8')) as Manifest;
  if (manifest.version !== 1) {
    throw new WorkspaceDamagedError(`The manifest has version ${manifest.version}; this shim reads version 1.`);
  }
  for (const { path } of [...manifest.files, ...manifest.symlinks, ...manifest.dirs]) {
    if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
      throw new WorkspaceDamagedError(`The manifest names ${JSON.stringify(path)}, which is outside the workspace.`);
    }
  }
  return manifest;
}

export function sha256Of(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
