import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../clock.ts';
import type { ObjectStorage } from '../object-storage.ts';
import type { GenerationReport, WorkspacePointer } from '../protocol.ts';
import { UnreachableError } from '../runtime-client.ts';
import { encodeManifest, type FileEntry, type Manifest, type PackEntry } from './manifest.ts';
import { writePack } from './pack.ts';
import { restoreWorkspace } from './restore.ts';
import { compare, type KnownFile, packsToKeep, sameContent, trustworthy } from './save-plan.ts';
import { type Scan, scanWorkspace } from './scan.ts';

export interface WorkspaceDependencies {
  /** Absolute path of the folder. */
  root: string;
  /** Where this runtime may write, ending in `/`. */
  writePrefix: string;
  /** Opens the bucket; called on first use. */
  openStorage(): Promise<ObjectStorage>;
  /** Commits a generation; throws where the API refuses it. */
  commit(report: GenerationReport, signal?: AbortSignal): Promise<unknown>;
  owner: { uid: number; gid: number } | null;
  clock: Clock;
}

interface Saved {
  report: GenerationReport;
  manifest: Manifest;
  known: Map<string, KnownFile>;
}

/** An agent's folder and its generations in S3. */
export interface Workspace {
  /** Brings the generation back, or leaves the folder as the image made it where there is none. */
  restore(pointer: WorkspacePointer | null): Promise<void>;
  /** Saves a generation if anything differs from the last one; null if nothing does. Not to be called in parallel. */
  save(signal?: AbortSignal): Promise<GenerationReport | null>;
}

export function makeWorkspace(deps: WorkspaceDependencies): Workspace {
  const { root, clock } = deps;
  let last: Manifest = emptyManifest();
  let highest = 0;
  let known = new Map<string, KnownFile>();
  let storage: Promise<ObjectStorage> | null = null;
  /** A save of which nobody knows whether it counted: the API did not answer. */
  let unanswered: Saved | null = null;
  const open = () => {
    storage ??= deps.openStorage();
    return storage;
  };

  async function restore(pointer: WorkspacePointer | null): Promise<void> {
    await mkdir(root, { recursive: true });
    if (deps.owner) await chown(root, deps.owner.uid, deps.owner.gid);
    if (pointer === null) return;
    const manifest = await restoreWorkspace(pointer, { root, storage: await open(), owner: deps.owner, clock });
    known = knowRestored(manifest, await scanWorkspace(root), clock.now());
    last = { ...manifest, generation: pointer.generation };
    highest = pointer.lastGeneration;
  }

  async function save(signal?: AbortSignal): Promise<GenerationReport | null> {
    await askAgain(signal);
    const startedAt = clock.now();
    const scan = await scanWorkspace(root);
    const { kept, changed } = await lookInside(root, scan, known, startedAt, signal);
    const packs = packsToKeep(last.packs, kept.values(), changed.length);
    const next = new Map([...kept].filter(([, { pack }]) => packs.some(({ key }) => key === pack)));
    const pending = new Map([...scan.files].filter(([path]) => !next.has(path)));
    // With nothing changed in any file, the manifest alone tells whether a link, mode or folder did.
    if (changed.length === 0 && sameContent(assemble(scan, kept, last.packs, last), last)) {
      known = kept;
      return null;
    }
    const generation = highest + 1;
    const prefix = `${deps.writePrefix}generations/${generation}-${randomBytes(6).toString('hex')}/`;
    if (pending.size > 0) {
      const { pack, packed } = await writePack(root, pending, `${prefix}pack.tar.zst`, await open(), signal);
      packs.push(pack);
      for (const [path, { sha256, bytes }] of packed) {
        const file = pending.get(path)!;
        next.set(path, { ...file, bytes, sha256, pack: pack.key, trusted: trustworthy(file, startedAt) });
      }
    }
    const manifest = { ...assemble(scan, next, packs, last), generation };
    return await publish(manifest, next, `${prefix}manifest.json`, signal);
  }

  /** A report that counted would make every later one a conflict, so it is repeated first. Refused, it never counted. */
  async function askAgain(signal?: AbortSignal): Promise<void> {
    if (unanswered === null) return;
    await commit(unanswered, signal).catch((error) => {
      if (error instanceof UnreachableError) throw error;
      unanswered = null;
    });
  }

  async function commit(saved: Saved, signal?: AbortSignal): Promise<void> {
    unanswered = saved;
    await deps.commit(saved.report, signal);
    unanswered = null;
    last = saved.manifest;
    highest = saved.manifest.generation;
    known = saved.known;
  }

  async function publish(
    manifest: Manifest,
    next: Map<string, KnownFile>,
    manifestKey: string,
    signal?: AbortSignal,
  ): Promise<GenerationReport> {
    const { body, sha256 } = encodeManifest(manifest);
    await (await open()).put(manifestKey, once(body), signal);
    const report: GenerationReport = {
      generation: manifest.generation,
      parent: manifest.parent,
      manifestKey,
      manifestSha256: sha256,
      ...manifest.totals,
    };
    await commit({ report, manifest, known: next }, signal);
    return report;
  }

  return { restore, save };
}

/** Reads what size and times can't vouch for. What has the old content after all keeps its pack. */
async function lookInside(
  root: string,
  scan: Scan,
  known: Map<string, KnownFile>,
  readAtMs: number,
  signal?: AbortSignal,
): Promise<{ kept: Map<string, KnownFile>; changed: string[] }> {
  const { same, suspect } = compare(scan, known);
  const kept = new Map(same.map((path) => [path, { ...known.get(path)!, mode: scan.files.get(path)!.mode }]));
  const changed: string[] = [];
  for (const path of suspect) {
    signal?.throwIfAborted();
    const before = known.get(path);
    const file = scan.files.get(path)!;
    if (before?.bytes === file.bytes && (await hashFile(join(root, path))) === before.sha256) {
      kept.set(path, { ...file, sha256: before.sha256, pack: before.pack, trusted: trustworthy(file, readAtMs) });
    } else {
      changed.push(path);
    }
  }
  return { kept, changed };
}

function assemble(scan: Scan, files: Map<string, KnownFile>, packs: PackEntry[], parent: Manifest): Manifest {
  const position = new Map(packs.map(({ key }, index) => [key, index]));
  const entries: FileEntry[] = [];
  let bytes = 0;
  for (const path of scan.files.keys()) {
    const file = files.get(path);
    if (file === undefined) continue;
    const { mode, mtimeMs, sha256 } = file;
    entries.push({ path, bytes: file.bytes, mode, mtimeMs, sha256, pack: position.get(file.pack)! });
    bytes += file.bytes;
  }
  return {
    version: 1,
    generation: parent.generation,
    parent: parent.generation === 0 ? null : parent.generation,
    files: entries,
    symlinks: scan.symlinks,
    dirs: scan.dirs,
    packs,
    totals: { files: entries.length, bytes },
  };
}

function knowRestored(manifest: Manifest, scan: Scan, readAtMs: number): Map<string, KnownFile> {
  const known = new Map<string, KnownFile>();
  for (const { path, sha256, pack } of manifest.files) {
    const file = scan.files.get(path);
    const key = manifest.packs[pack]?.key;
    if (file === undefined || key === undefined) continue;
    known.set(path, { ...file, sha256, pack: key, trusted: trustworthy(file, readAtMs) });
  }
  return known;
}

function emptyManifest(): Manifest {
  return {
    version: 1,
    generation: 0,
    parent: null,
    files: [],
    symlinks: [],
    dirs: [],
    packs: [],
    totals: { files: 0, bytes: 0 },
  };
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function* once(body: Buffer) {
  yield body;
}
