/** Sizes and capacity units, as DynamoDB counts (and bills) them. */
import { numberSize } from './number.ts';
import type { AttributeValue, Item } from './value.ts';
import { typeOf } from './value.ts';

/** Largest item, attribute names included. */
export const maxItemBytes = 400 * 1024;
/** What one Query or Scan reads at most. */
export const maxPageBytes = 1024 * 1024;

// Items are never changed in place, so their size is computed once.
const sizes = new WeakMap<Item, number>();

export function itemSize(item: Item): number {
  let size = sizes.get(item);
  if (size === undefined) {
    size = membersSize(item);
    sizes.set(item, size);
  }
  return size;
}

function membersSize(members: Item): number {
  let size = 0;
  for (const name in members) size += Buffer.byteLength(name) + valueSize(members[name]!);
  return size;
}

export function valueSize(value: AttributeValue): number {
  const type = typeOf(value);
  switch (type) {
    case 'S':
      return Buffer.byteLength(value.S!);
    case 'N':
      return numberSize(value.N!);
    case 'B':
      return Buffer.byteLength(value.B!, 'base64');
    case 'BOOL':
    case 'NULL':
      return 1;
    case 'SS':
      return value.SS!.reduce((sum, element) => sum + Buffer.byteLength(element), 0);
    case 'NS':
      return value.NS!.reduce((sum, element) => sum + numberSize(element), 0);
    case 'BS':
      return value.BS!.reduce((sum, element) => sum + Buffer.byteLength(element, 'base64'), 0);
    case 'L':
      return value.L!.reduce((sum, element) => sum + 1 + valueSize(element), 3);
    case 'M':
      return 3 + Object.keys(value.M!).length + membersSize(value.M!);
    default:
      return type satisfies never;
  }
}

/** Write units of one item: one per started KB, at least one. */
export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1024));
}

/** Read units of one item or page: one per started 4 KB, at least one; half of it when eventually consistent. */
export function readUnits(bytes: number, consistent: boolean): number {
  return Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5);
}
