import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A map whose entries survive a restart when the store has a folder. Values are JSON; `set` after every change of one. */
export interface StoredMap<T> {
  get(key: string): T | undefined;
  has(key: string): boolean;
  set(key: string, value: T): void;
  delete(key: string): void;
  values(): IterableIterator<T>;
  entries(): IterableIterator<[string, T]>;
  readonly size: number;
}

/** Where the services keep their state: in memory, written through to SQLite when a folder is given. */
export interface Store {
  map<T>(name: string): StoredMap<T>;
  /** Runs `writes`; after a crash all of its changes are there, or none. It must not throw or wait. */
  atomically(writes: () => void): void;
  /** Folder for files (S3 objects, containers' workspaces), or undefined when nothing persists. */
  readonly folder: string | undefined;
  close(): void;
}

export class MemoryStore implements Store {
  readonly folder = undefined;

  map<T>(_name: string): StoredMap<T> {
    return new Map<string, T>();
  }

  atomically(writes: () => void): void {
    writes();
  }

  close(): void {}
}

/** Survives a SIGKILL of the process: each write is in the operating system's hands when `set` returns. */
export class SqliteStore implements Store {
  private readonly db: DatabaseSync;
  private readonly put: StatementSync;
  private readonly remove: StatementSync;

  static async open(folder: string): Promise<SqliteStore> {
    // Loaded on use: node:sqlite announces itself as experimental on some versions.
    const { DatabaseSync } = await import('node:sqlite');
    mkdirSync(folder, { recursive: true });
    return new SqliteStore(folder, new DatabaseSync(join(folder, 'state.sqlite')));
  }

  readonly folder: string;

  private constructor(folder: string, db: DatabaseSync) {
    this.folder = folder;
    this.db = db;
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;');
    db.exec(
      'CREATE TABLE IF NOT EXISTS entries (map TEXT, key TEXT, value TEXT, PRIMARY KEY (map, key)) WITHOUT ROWID',
    );
    this.put = db.prepare('INSERT OR REPLACE INTO entries (map, key, value) VALUES (?, ?, ?)');
    this.remove = db.prepare('DELETE FROM entries WHERE map = ? AND key = ?');
  }

  map<T>(name: string): StoredMap<T> {
    const memory = new Map<string, T>();
    for (const row of this.db.prepare('SELECT key, value FROM entries WHERE map = ?').all(name)) {
      memory.set(String(row.key), JSON.parse(String(row.value)) as T);
    }
    return {
      get: (key) => memory.get(key),
      has: (key) => memory.has(key),
      set: (key, value) => {
        memory.set(key, value);
        this.put.run(name, key, JSON.stringify(value));
      },
      delete: (key) => {
        if (memory.delete(key)) this.remove.run(name, key);
      },
      values: () => memory.values(),
      entries: () => memory.entries(),
      get size() {
        return memory.size;
      },
    };
  }

  atomically(writes: () => void): void {
    if (this.db.isTransaction) {
      writes();
      return;
    }
    this.db.exec('BEGIN');
    try {
      writes();
    } finally {
      this.db.exec('COMMIT');
    }
  }

  close(): void {
    this.db.close();
  }
}
