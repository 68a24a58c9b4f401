import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ordinaryDirectoryMode } from './manifest.ts';

/** A file as the file system tells it, without looking inside. */
export interface ScannedFile {
  bytes: number;
  mode: number;
  mtimeMs: number;
  ctimeMs: number;
  inode: number;
}

export interface Scan {
  /** By path, sorted. */
  files: Map<string, ScannedFile>;
  symlinks: { path: string; target: string }[];
  dirs: { path: string; mode: number }[];
}

/**
 * Lists a workspace. Sockets, pipes and devices are left out, and so is what vanishes meanwhile or has a name that is
 * not UTF-8.
 */
export async function scanWorkspace(root: string): Promise<Scan> {
  const scan: Scan = { files: new Map(), symlinks: [], dirs: [] };
  await scanDirectory(root, '', scan);
  return scan;
}

async function scanDirectory(root: string, directory: string, scan: Scan): Promise<void> {
  const names = (await readdir(join(root, directory))).sort();
  for (const name of names) {
    const path = directory === '' ? name : `${directory}/${name}`;
    const absolute = join(root, path);
    // Synchronous: a tenth of the time of the asynchronous call, and each folder's listing yields.
    const stat = lstatSync(absolute, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (stat.isFile()) scan.files.set(path, describe(stat));
    else if (stat.isSymbolicLink()) scan.symlinks.push({ path, target: readlinkSync(absolute) });
    else if (stat.isDirectory()) await scanSubdirectory(root, path, stat, scan);
  }
}

async function scanSubdirectory(root: string, path: string, stat: Stats, scan: Scan): Promise<void> {
  const mode = stat.mode & 0o7777;
  const before = scan.files.size + scan.symlinks.length + scan.dirs.length;
  const position = scan.dirs.length;
  await scanDirectory(root, path, scan);
  const empty = scan.files.size + scan.symlinks.length + scan.dirs.length === before;
  if (empty || mode !== ordinaryDirectoryMode) scan.dirs.splice(position, 0, { path, mode });
}

function describe(stat: Stats): ScannedFile {
  return {
    bytes: stat.size,
    mode: stat.mode & 0o7777,
    mtimeMs: stat.mtimeMs,
    ctimeMs: stat.ctimeMs,
    inode: stat.ino,
  };
}
