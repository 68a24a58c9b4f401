/** Random attribute values, keys and items, from a small world, so that they often meet. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Draw } from '../draw.ts';
import type { KeyAttribute, Table } from './tables.ts';

export type Item = Record<string, AttributeValue>;

const texts = ['', 'a', 'ab', 'abc', 'b', 'B', 'é', '\u{1F600}', '\uFF21', 'a b', 'running'];
const plainNumbers = ['0', '1', '2', '3', '5', '7', '10', '-1', '-2', '100', '1700000000000'];
const oddNumbers = [
  '1.5',
  '-0.25',
  '0.1',
  '00012',
  '1e2',
  '12E-3',
  '-0',
  '+3',
  '.5',
  '1.500',
  '99999999999999999999999999999999999999',
  '-12345678901234567890123456789012345678',
  '0.00000000000000000000000000000000000001',
  '9.9999999999999999999999999999999999999E+125',
  '1E-130',
];
const byteStrings = [[], [0], [1], [1, 2], [255], [0, 255, 7]];

export const bytes = (draw: Draw): Uint8Array => Uint8Array.from(draw.of(byteStrings));
/** Mostly one of three, so that comparisons often find what is equal. */
export const number = (draw: Draw): string =>
  draw.of(draw.chance(0.6) ? plainNumbers.slice(0, 3) : draw.chance(0.7) ? plainNumbers : oddNumbers);

/** Attributes that are no keys. Some need a placeholder, some are nasty in JavaScript. */
export const attributes = [
  'a',
  'b',
  'n',
  'text',
  'lst',
  'mp',
  'map',
  'strings',
  'nums',
  'blobs',
  'status',
  'a-b',
  'x.y',
  '__proto__',
  'constructor',
];
const members = ['x', 'y', 'status', 'z.w'];

/** A value such as the attribute of that name mostly holds, so that updates often suit it. */
export function valueFor(draw: Draw, name: string): AttributeValue {
  if (draw.chance(0.2)) return anyValue(draw, 0);
  switch (name) {
    case 'n':
    case 'a':
      return { N: number(draw) };
    case 'lst':
      return { L: draw.many(0, 4, () => anyValue(draw, 1)) };
    case 'mp':
    case 'map':
      return mapValue(draw, 0);
    case 'strings':
      return setValue(draw, 'SS');
    case 'nums':
      return setValue(draw, 'NS');
    case 'blobs':
      return setValue(draw, 'BS');
    default:
      return anyValue(draw, 0);
  }
}

export function anyValue(draw: Draw, depth: number): AttributeValue {
  return draw.weighted<AttributeValue>([
    [8, () => ({ S: draw.of(texts) })],
    [8, () => ({ N: number(draw) })],
    [2, () => ({ B: bytes(draw) })],
    [2, () => ({ BOOL: draw.chance(0.5) })],
    [1, () => ({ NULL: true })],
    [2, () => setValue(draw, draw.of(['SS', 'NS', 'BS'] as const))],
    [depth < 3 ? 2 : 0, () => ({ L: draw.many(0, 3, () => anyValue(draw, depth + 1)) })],
    [depth < 3 ? 2 : 0, () => mapValue(draw, depth)],
  ]);
}

function mapValue(draw: Draw, depth: number): AttributeValue {
  const names = draw.some(draw.below(4), members);
  return { M: Object.fromEntries(names.map((name) => [name, anyValue(draw, depth + 1)])) };
}

export function setValue(draw: Draw, type: 'SS' | 'NS' | 'BS'): AttributeValue {
  const count = 1 + draw.below(3);
  if (type === 'SS') return { SS: draw.some(count, texts) };
  if (type === 'NS') return { NS: draw.some(count, plainNumbers) };
  return { BS: draw.some(count, byteStrings).map((one) => Uint8Array.from(one)) };
}

const keyTexts = ['p', 'q', 'p#1', 'r\u{1F600}', 'r\uFF21'];
const keyNumbers = ['1', '2', '-3', '10', '0.5', '-2.5', '1000'];
const keyBytes = [[1], [1, 2], [2], [200, 1]];

export function keyValue(draw: Draw, { type }: KeyAttribute): AttributeValue {
  // Two values are drawn most often, so that operations meet on few items.
  const pick = <T>(values: readonly T[]): T => draw.of(draw.chance(0.7) ? values.slice(0, 2) : values);
  if (type === 'S') return { S: pick(keyTexts) };
  if (type === 'N') return { N: pick(keyNumbers) };
  return { B: Uint8Array.from(pick(keyBytes)) };
}

export function keyOf(draw: Draw, table: Table): Item {
  return Object.fromEntries(table.keys.map((key) => [key.name, keyValue(draw, key)]));
}

export function itemOf(draw: Draw, table: Table): Item {
  const item = keyOf(draw, table);
  for (const index of table.indexes) {
    if (!draw.chance(0.6)) continue;
    for (const key of index.keys) if (draw.chance(0.9)) item[key.name] = keyValue(draw, key);
  }
  for (const name of draw.some(draw.below(6), attributes)) set(item, name, valueFor(draw, name));
  return item;
}

/** Sets a member, also one that is named `__proto__`. */
export function set(item: Item, name: string, value: AttributeValue): void {
  Object.defineProperty(item, name, { value, enumerable: true, configurable: true, writable: true });
}
