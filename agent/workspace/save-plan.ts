import type { Manifest, PackEntry } from './manifest.ts';
import type { Scan, ScannedFile } from './scan.ts';

/** What the shim knows of a file from its last look inside. */
export interface KnownFile extends ScannedFile {
  sha256: string;
  /** Key of the pack that holds it. */
  pack: string;
  /** False where the file changed so recently that its times can't tell another change; see `trustworthy`. */
  trusted: boolean;
}

/** More packs make waking slow, and more garbage makes it dear: then all files go into one new pack. */
const mostPacks = 20;
const mostGarbage = 0.5;
/** The clock that stamps files may tick this slowly. */
const timestampGrainMs = 20;

/**
 * Whether an unchanged size and time will later mean an unchanged file. A file that was written in the same tick as it
 * was read could be written once more without its times showing it.
 */
export function trustworthy(file: ScannedFile, readAtMs: number): boolean {
  return Math.max(file.mtimeMs, file.ctimeMs) + timestampGrainMs < readAtMs;
}

/** Splits a scan into what is surely unchanged and what needs a look inside. */
export function compare(scan: Scan, known: Map<string, KnownFile>): { same: string[]; suspect: string[] } {
  const same: string[] = [];
  const suspect: string[] = [];
  for (const [path, file] of scan.files) {
    const before = known.get(path);
    const unchanged =
      before?.trusted &&
      before.bytes === file.bytes &&
      before.mtimeMs === file.mtimeMs &&
      before.ctimeMs === file.ctimeMs &&
      before.inode === file.inode;
    (unchanged ? same : suspect).push(path);
  }
  return { same, suspect };
}

/** The packs of the last generation that still hold something, unless all should be packed anew (then none). */
export function packsToKeep(
  packs: PackEntry[],
  kept: Iterable<{ pack: string; bytes: number }>,
  added: number,
): PackEntry[] {
  const liveBytes = new Map<string, number>();
  for (const { pack, bytes } of kept) liveBytes.set(pack, (liveBytes.get(pack) ?? 0) + bytes);
  const used = packs.filter(({ key }) => liveBytes.has(key));
  const stored = used.reduce((sum, { contentBytes }) => sum + contentBytes, 0);
  const live = used.reduce((sum, { key }) => sum + (liveBytes.get(key) ?? 0), 0);
  const tooMany = used.length + (added > 0 ? 1 : 0) > mostPacks;
  return tooMany || stored - live > mostGarbage * stored ? [] : used;
}

/** Whether two generations hold the same: contents, modes, links, folders. Times alone make no new generation. */
export function sameContent(a: Manifest, b: Manifest): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint({ files, symlinks, dirs }: Manifest): string {
  return JSON.stringify([files.map(({ path, mode, sha256 }) => [path, mode, sha256]), symlinks, dirs]);
}
