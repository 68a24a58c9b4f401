import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findProcess } from '../services/ecs/process-table.ts';

/** Ports of an earlier start: agents' processes that outlived it find their API and their AWS there. */
export interface Ports {
  aws: number;
  api: number;
}

interface Lock {
  pid: number;
  identity: string;
}

/** Where a local stack keeps its state, and the lock that makes it the only one there. */
export class DataFolder {
  readonly path: string;
  readonly persistent: boolean;

  private constructor(path: string, persistent: boolean) {
    this.path = path;
    this.persistent = persistent;
  }

  /** Without a path: a temporary folder that goes away in the end. @throws Error when another process uses the folder. */
  static open(path: string | undefined): DataFolder {
    if (path === undefined) return new DataFolder(mkdtempSync(join(tmpdir(), 'rouse-')), false);
    const folder = new DataFolder(resolve(path), true);
    // The state in it holds the API key, so only its owner may read it.
    mkdirSync(folder.path, { recursive: true, mode: 0o700 });
    folder.lock();
    return folder;
  }

  ports(): Ports | undefined {
    return readJson<Ports>(join(this.path, 'ports.json'));
  }

  savePorts(ports: Ports): void {
    if (this.persistent) writeFileSync(join(this.path, 'ports.json'), JSON.stringify(ports));
  }

  close(): void {
    if (this.persistent) rmSync(this.lockFile(), { force: true });
    else rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  private lock(): void {
    const holder = readJson<Lock>(this.lockFile());
    if (holder && holder.pid !== process.pid && findProcess(holder.pid)?.identity === holder.identity) {
      throw new Error(
        `The data folder ${this.path} is in use by process ${holder.pid}. Stop that one first, or choose another folder by ROUSE_DATA_DIR.`,
      );
    }
    const lock: Lock = { pid: process.pid, identity: findProcess(process.pid)?.identity ?? '' };
    writeFileSync(this.lockFile(), JSON.stringify(lock));
  }

  private lockFile(): string {
    return join(this.path, 'lock.json');
  }
}

function readJson<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    // Cut off by a crash while it was written: as good as absent.
    return undefined;
  }
}
