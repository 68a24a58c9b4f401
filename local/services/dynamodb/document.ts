/** Reads and changes what document paths point at. Changes copy what lies on the path and share the rest. */
import { validationError } from './errors.ts';
import type { Path } from './syntax.ts';
import { type AttributeValue, attribute, type Item } from './value.ts';

export function valueAt(item: Item, path: Path): AttributeValue | undefined {
  let value: AttributeValue | undefined = { M: item };
  for (const part of path) {
    if (typeof part === 'number') value = value.L?.[part];
    else value = value.M && attribute(value.M, part);
    if (value === undefined) return undefined;
  }
  return value;
}

/** The parts of an item that some paths point at: nested ones within their maps and lists, list elements without gaps. */
export function project(item: Item, paths: readonly Path[]): Item {
  const picked: Picked = new Map();
  for (const path of paths) {
    if (valueAt(item, path) === undefined) continue;
    let level = picked;
    path.forEach((part, depth) => {
      const next = level.get(part) ?? (depth === path.length - 1 ? 'all' : new Map());
      level.set(part, next);
      if (next !== 'all') level = next;
    });
  }
  return pickMembers(item, picked);
}

type Picked = Map<string | number, Picked | 'all'>;

function pickMembers(members: Item, picked: Picked): Item {
  const result: Item = {};
  for (const [name, inner] of picked) define(result, String(name), pick(members[name]!, inner));
  return result;
}

function pick(value: AttributeValue, picked: Picked | 'all'): AttributeValue {
  if (picked === 'all') return value;
  if (value.M) return { M: pickMembers(value.M, picked) };
  const indexes = [...picked].sort(([one], [two]) => Number(one) - Number(two));
  return { L: indexes.map(([index, inner]) => pick(value.L![Number(index)]!, inner)) };
}

/** A copy of the item in which the path holds `value`. An index beyond the end of its list appends. */
export function withValueAt(item: Item, path: Path, value: AttributeValue): Item {
  return changed({ M: item }, path, 0, () => value).M!;
}

/** A copy of the item without what the path points at; the item itself when its place is empty. */
export function withoutValueAt(item: Item, path: Path): Item {
  const container = valueAt(item, path.slice(0, -1));
  if (!(typeof path.at(-1) === 'number' ? container?.L : container?.M)) throw invalidPath();
  if (valueAt(item, path) === undefined) return item;
  return changed({ M: item }, path, 0, () => undefined).M!;
}

function changed(
  container: AttributeValue,
  path: Path,
  depth: number,
  value: () => AttributeValue | undefined,
): AttributeValue {
  const part = path[depth]!;
  const isLast = depth === path.length - 1;
  if (typeof part === 'number') {
    if (!container.L) throw invalidPath();
    const list = [...container.L];
    const inner = isLast ? value() : changed(list[part] ?? fail(), path, depth + 1, value);
    if (inner) list.splice(part, 1, inner);
    else list.splice(part, 1);
    return { L: list };
  }
  if (!container.M) throw invalidPath();
  const members = { ...container.M };
  const inner = isLast ? value() : changed(attribute(members, part) ?? fail(), path, depth + 1, value);
  if (inner) define(members, part, inner);
  else delete members[part];
  return { M: members };
}

function fail(): never {
  throw invalidPath();
}

function invalidPath() {
  return validationError('The document path provided in the update expression is invalid for update');
}

/** Sets a member, also one that is named `__proto__`. */
export function define(members: Item, name: string, value: AttributeValue): void {
  if (name !== '__proto__') members[name] = value;
  else Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
}
