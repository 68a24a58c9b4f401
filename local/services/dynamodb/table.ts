import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import type { Units } from './capacity.ts';
import { Expiry } from './expiry.ts';
import { itemKey, keyOf, Rows } from './rows.ts';
import { type IndexDefinition, keyNames, type Schema } from './schema.ts';
import { itemSize, writeUnits } from './size.ts';
import { type Change, Stream, type StreamRecord, type StreamViewType } from './stream.ts';
import { attribute, equalItems, type Item } from './value.ts';

/** A table as it is stored; its items are stored apart. */
export interface TableDefinition extends Schema {
  name: string;
  arn: string;
  id: string;
  createdAtMs: number;
  stream?: { viewType: StreamViewType; label: string };
  timeToLiveAttribute?: string;
  pointInTimeRecovery: { enabled: boolean; sinceMs: number; retentionDays: number };
  deletionProtection: boolean;
  tableClass: string | undefined;
  encryption: unknown;
  tags: unknown;
}

/** Rows of an index with the projected part of each item. */
export class Index {
  readonly definition: IndexDefinition;
  readonly rows: Rows;
  private readonly projected: readonly string[] | undefined;

  constructor(definition: IndexDefinition, table: TableDefinition) {
    this.definition = definition;
    this.rows = new Rows(definition.keys);
    if (definition.projection.type !== 'ALL')
      this.projected = [
        ...new Set([...keyNames(table.keys), ...keyNames(definition.keys), ...definition.projection.attributes]),
      ];
  }

  /** Brings the index up to date. Returns the write units: one write each for a row taken away, changed or put in. */
  change(key: string, before: Item | undefined, after: Item | undefined): number {
    const old = before && this.rowOf(before, key);
    const next = after && this.rowOf(after, key);
    const isSamePlace = old && next && old.partition === next.partition && old.sort === next.sort;
    if (isSamePlace && equalItems(old.item, next.item)) return 0;
    if (old) this.rows.remove(old);
    if (next) this.rows.insert(next);
    if (isSamePlace) return writeUnits(Math.max(itemSize(old.item), itemSize(next.item)));
    return (old ? writeUnits(itemSize(old.item)) : 0) + (next ? writeUnits(itemSize(next.item)) : 0);
  }

  /** Whether rows of this index hold the attribute. */
  projects(name: string): boolean {
    return this.projected?.includes(name) ?? true;
  }

  private rowOf(item: Item, key: string) {
    const row = this.rows.rowOf(item, key);
    if (row && this.projected) row.item = pick(item, this.projected);
    return row;
  }
}

function pick(item: Item, names: readonly string[]): Item {
  const picked: Item = {};
  for (const name of names) {
    const value = attribute(item, name);
    if (value) picked[name] = value;
  }
  return picked;
}

interface TableOptions {
  environment: Environment;
  timeToLiveDelayMs: number;
  streamRetentionMs: number;
  onRecord(record: StreamRecord): void;
}

/** Items of one table, in memory and in the store, with what follows from each change: indexes, stream, expiry. */
export class Table {
  definition: TableDefinition;
  readonly indexes = new Map<string, Index>();
  readonly rows: Rows;
  readonly stream: Stream | undefined;
  private readonly items: StoredMap<Item>;
  private readonly options: TableOptions;
  private expiry: Expiry | undefined;
  private bytes = 0;

  constructor(definition: TableDefinition, options: TableOptions) {
    this.definition = definition;
    this.options = options;
    const { store } = options.environment;
    this.items = store.map(`dynamodb/${definition.name}/items`);
    this.rows = new Rows(definition.keys);
    for (const index of definition.indexes) this.indexes.set(index.name, new Index(index, definition));
    for (const [key, item] of this.items.entries()) this.place(key, undefined, item);
    if (definition.stream)
      this.stream = new Stream(
        `${definition.arn}/stream/${definition.stream.label}`,
        definition.stream.viewType,
        options.environment,
        store.map(`dynamodb/${definition.name}/stream`),
        options.streamRetentionMs,
      );
    this.watchTimeToLive();
  }

  get name(): string {
    return this.definition.name;
  }

  /** Number of items and their size in bytes. */
  get totals(): { items: number; bytes: number } {
    return { items: this.rows.size, bytes: this.bytes };
  }

  get(key: string): Item | undefined {
    return this.items.get(key);
  }

  /** The string under which an item, or a key, is kept. */
  keyOf(item: Item): string {
    return itemKey(this.definition.keys, item);
  }

  /** Puts `after` in the place of the item of that key, or deletes it. Returns the units that the indexes cost. */
  write(key: string, after: Item | undefined, byTimeToLive = false): Units['indexes'] {
    const before = this.items.get(key);
    const isUnchanged = before && after ? equalItems(before, after) : before === after;
    if (isUnchanged) return new Map();
    let record: StreamRecord | undefined;
    this.options.environment.store.atomically(() => {
      if (after) this.items.set(key, after);
      else this.items.delete(key);
      record = this.stream?.append(this.change(before, after, byTimeToLive));
    });
    const units = this.place(key, before, after);
    this.expiry?.changed(key, before, after);
    if (record) this.options.onRecord(record);
    return units;
  }

  /** Deletes everything the table has stored. */
  drop(): void {
    this.expiry?.stop();
    for (const [key] of [...this.items.entries()]) this.items.delete(key);
    this.stream?.clear();
  }

  /** Starts, or ends, the deletion of expired items, as the definition says. */
  watchTimeToLive(): void {
    this.expiry?.stop();
    this.expiry = undefined;
    const { timeToLiveAttribute } = this.definition;
    if (timeToLiveAttribute === undefined) return;
    const { environment, timeToLiveDelayMs } = this.options;
    const expire = (key: string) => void this.write(key, undefined, true);
    this.expiry = new Expiry(timeToLiveAttribute, environment.clock, timeToLiveDelayMs, expire);
    for (const [key, item] of this.items.entries()) this.expiry.changed(key, undefined, item);
  }

  private change(before: Item | undefined, after: Item | undefined, byTimeToLive: boolean): Change {
    return { keys: keyOf(this.definition.keys, (after ?? before)!), before, after, byTimeToLive };
  }

  private place(key: string, before: Item | undefined, after: Item | undefined): Units['indexes'] {
    const [old, next] = [before && this.rows.rowOf(before, key), after && this.rows.rowOf(after, key)];
    if (old) this.rows.remove(old);
    if (next) this.rows.insert(next);
    this.bytes += (after ? itemSize(after) : 0) - (before ? itemSize(before) : 0);
    const units: Units['indexes'] = new Map();
    for (const [name, index] of this.indexes) {
      const cost = index.change(key, before, after);
      if (cost > 0) units.set(name, cost);
    }
    return units;
  }
}
