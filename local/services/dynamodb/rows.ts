/** The rows of a table or of an index: partitions in order of a hash, each sorted by the sort key. */

import { sortableNumber } from './number.ts';
import { type KeySchema, keyNames } from './schema.ts';
import { SortedList } from './sorted-list.ts';
import { type AttributeValue, attribute, bytesOf, type Item, sortableString } from './value.ts';

export interface Row {
  hash: number;
  partition: string;
  /** Sorts, by code unit, as the sort key does. */
  sort: string;
  /** The item's key in its table: orders rows of an index whose keys are equal. */
  key: string;
  item: Item;
}

/** Which rows to visit, in which direction. */
export interface Walk {
  forward: boolean;
  /** One partition, and in it the sort keys that are neither below nor above the range. */
  partition?: { value: string; range: SortRange };
  /** One part of a parallel scan. */
  segment?: { index: number; of: number };
  /** The row after which to go on; it need not exist any more. */
  after?: Row;
}

export interface SortRange {
  below(sort: string): boolean;
  above(sort: string): boolean;
}

export class Rows {
  readonly keys: KeySchema;
  private readonly list = new SortedList<Row>(compareRows);

  constructor(keys: KeySchema) {
    this.keys = keys;
  }

  get size(): number {
    return this.list.size;
  }

  insert(row: Row): void {
    this.list.insert(row);
  }

  remove(row: Row): void {
    this.list.remove(row);
  }

  /** The row of an item, or undefined when the item lacks one of the keys and so isn't among these rows. */
  rowOf(item: Item, key: string): Row | undefined {
    const partition = attribute(item, this.keys.partition);
    const sort = this.keys.sort === undefined ? undefined : attribute(item, this.keys.sort);
    if (!partition || (this.keys.sort !== undefined && !sort)) return undefined;
    const text = partitionText(partition);
    return { hash: hashOf(text), partition: text, sort: sort ? sortText(sort) : '', key, item };
  }

  *walk({ forward, partition, segment, after }: Walk): Generator<Row> {
    const [starts, ends] = partition ? partitionBounds(partition) : segmentBounds(segment ?? { index: 0, of: 1 });
    if (forward) {
      const isBefore = (row: Row) => starts(row) || (after !== undefined && compareRows(row, after) <= 0);
      for (const row of this.list.ascending(isBefore)) {
        if (ends(row)) return;
        yield row;
      }
      return;
    }
    const isBefore = (row: Row) => !ends(row) && (after === undefined || compareRows(row, after) < 0);
    for (const row of this.list.descending(isBefore)) {
      if (starts(row)) return;
      yield row;
    }
  }
}

/** Two predicates: the row is before the walk's rows, the row is after them. */
type Bounds = [(row: Row) => boolean, (row: Row) => boolean];

function partitionBounds({ value, range }: NonNullable<Walk['partition']>): Bounds {
  const hash = hashOf(value);
  const side = (row: Row) => row.hash - hash || compareText(row.partition, value);
  return [
    (row) => {
      const order = side(row);
      return order < 0 || (order === 0 && range.below(row.sort));
    },
    (row) => {
      const order = side(row);
      return order > 0 || (order === 0 && range.above(row.sort));
    },
  ];
}

function segmentBounds({ index, of }: NonNullable<Walk['segment']>): Bounds {
  const low = Math.ceil((hashes * index) / of);
  const high = Math.ceil((hashes * (index + 1)) / of);
  return [(row) => row.hash < low, (row) => row.hash >= high];
}

/** Whether a row belongs to one part of a parallel scan. */
export function inSegment(row: Row, segment: NonNullable<Walk['segment']>): boolean {
  const [before, after] = segmentBounds(segment);
  return !before(row) && !after(row);
}

function compareRows(left: Row, right: Row): number {
  return (
    left.hash - right.hash ||
    compareText(left.partition, right.partition) ||
    compareText(left.sort, right.sort) ||
    compareText(left.key, right.key)
  );
}

function compareText(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

const hashes = 2 ** 32;

/** FNV-1a with a final mix, so that similar keys spread over all segments. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function partitionText(value: AttributeValue): string {
  return value.S ?? value.N ?? value.B!;
}

export function sortText(value: AttributeValue): string {
  if (value.S !== undefined) return sortableString(value.S);
  return value.N !== undefined ? sortableNumber(value.N) : bytesOf(value.B!);
}

/** One string for the key of an item; no two keys of a table share one. */
export function itemKey(keys: KeySchema, item: Item): string {
  const partition = partitionText(item[keys.partition]!);
  if (keys.sort === undefined) return partition;
  return `${partition.length}:${partition}${partitionText(item[keys.sort]!)}`;
}

/** Only the key attributes of an item. */
export function keyOf(keys: KeySchema, item: Item): Item {
  const key: Item = {};
  for (const name of keyNames(keys)) key[name] = item[name]!;
  return key;
}
