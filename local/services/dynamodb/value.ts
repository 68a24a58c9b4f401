/** Attribute values in their wire shape, which is also how items are stored. Stored values are never changed in place. */
import { invalidValue, serializationError, validationError } from './errors.ts';
import { compareNumbers, normalNumber } from './number.ts';

/** Exactly one member is there. Binary values are base64. */
export interface AttributeValue {
  S?: string;
  N?: string;
  B?: string;
  SS?: string[];
  NS?: string[];
  BS?: string[];
  BOOL?: boolean;
  NULL?: boolean;
  L?: AttributeValue[];
  M?: Record<string, AttributeValue>;
}
export type Item = Record<string, AttributeValue>;
export type TypeName = keyof AttributeValue;
export type KeyType = 'S' | 'N' | 'B';

export const typeNames: readonly TypeName[] = ['S', 'N', 'B', 'SS', 'NS', 'BS', 'BOOL', 'NULL', 'L', 'M'];
const maxDepth = 31;

export function typeOf(value: AttributeValue): TypeName {
  for (const name in value) return name as TypeName;
  throw new Error('An attribute value has no type.');
}

/** The attribute of that name, and never something inherited, such as `constructor`. */
export function attribute(item: Item, name: string): AttributeValue | undefined {
  return Object.hasOwn(item, name) ? item[name] : undefined;
}

/** Checks an item from a request and brings its numbers and binaries into their normal form, in place. */
export function normaliseItem(item: unknown, what: string): Item {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    throw serializationError(`Unexpected value for ${what}: an object is expected.`);
  for (const [name, value] of Object.entries(item)) {
    if (name === '') throw validationError('Empty attribute name');
    if (Buffer.byteLength(name) > 65_535) throw invalidValue('Attribute name is too large; maximum 65535 bytes');
    normaliseValue(value);
  }
  return item as Item;
}

/** Checks a value from a request and brings it into its normal form, in place. */
export function normaliseValue(value: unknown, depth = 0): AttributeValue {
  if (typeof value !== 'object' || Array.isArray(value))
    throw serializationError('Unexpected value for an AttributeValue: an object is expected.');
  const members: Record<string, unknown> = { ...value };
  const names = Object.keys(members).filter((name) => members[name] !== undefined && members[name] !== null);
  if (names.length === 0 || !typeNames.includes(names[0] as TypeName))
    throw validationError('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  if (names.length > 1)
    throw validationError(
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    );
  if (depth > maxDepth) throw validationError('Nesting Levels have exceeded supported limits');
  normaliseContent(value as AttributeValue, names[0] as TypeName, depth);
  return value as AttributeValue;
}

function normaliseContent(value: AttributeValue, type: TypeName, depth: number): void {
  switch (type) {
    case 'S':
      requireString(value.S);
      return;
    case 'N':
      requireString(value.N);
      value.N = normalNumber(value.N!);
      return;
    case 'B':
      requireString(value.B);
      value.B = normalBinary(value.B!);
      return;
    case 'SS':
      value.SS = normalSet('SS', value.SS, (text) => text);
      return;
    case 'NS':
      value.NS = normalSet('NS', value.NS, normalNumber);
      return;
    case 'BS':
      value.BS = normalSet('BS', value.BS, normalBinary);
      return;
    case 'BOOL':
      if (typeof value.BOOL !== 'boolean') throw serializationError('Unexpected token received from parser');
      return;
    case 'NULL':
      if (value.NULL !== true) throw invalidValue('Null attribute value types must have the value of true');
      return;
    case 'L':
      if (!Array.isArray(value.L)) throw serializationError('Unexpected field type');
      for (const element of value.L) normaliseValue(element, depth + 1);
      return;
    case 'M':
      if (typeof value.M !== 'object' || value.M === null || Array.isArray(value.M))
        throw serializationError('Unexpected field type');
      for (const [name, member] of Object.entries(value.M)) {
        if (name === '') throw validationError('Empty attribute name');
        normaliseValue(member, depth + 1);
      }
      return;
    default: {
      (type) satisfies never;
    }
  }
}

function requireString(value: unknown): void {
  if (typeof value === 'string') return;
  const kind = typeof value === 'number' ? 'NUMBER_VALUE' : typeof value === 'boolean' ? 'TRUE_VALUE' : 'START_OBJECT';
  throw serializationError(`${kind} cannot be converted to String`);
}

function normalBinary(text: string): string {
  const canonical = Buffer.from(text, 'base64').toString('base64');
  if (canonical.replace(/=+$/, '') !== text.replace(/=+$/, ''))
    throw serializationError('Base64 encoded binary is not correctly encoded');
  return canonical;
}

const emptySets = {
  SS: 'An string set  may not be empty',
  NS: 'An number set  may not be empty',
  BS: 'Binary sets should not be empty',
};

function normalSet(type: 'SS' | 'NS' | 'BS', elements: unknown, normalise: (text: string) => string): string[] {
  if (!Array.isArray(elements)) throw serializationError('Unexpected field type');
  if (elements.length === 0) throw invalidValue(emptySets[type]);
  for (const element of elements) requireString(element);
  const normal = (elements as string[]).map(normalise);
  if (new Set(normal).size === normal.length) return normal;
  if (type === 'NS') throw validationError('Input collection contains duplicates');
  const shown = `[${elements.join(', ')}]${type === 'BS' ? 'of type BS' : ''}`;
  throw invalidValue(`Input collection ${shown} contains duplicates.`);
}

/** Equality as `=` sees it: same type and content; sets without order. */
export function equalValues(left: AttributeValue, right: AttributeValue): boolean {
  if (left === right) return true;
  const type = typeOf(left);
  if (type !== typeOf(right)) return false;
  if (type === 'L') {
    const [a, b] = [left.L!, right.L!];
    return a.length === b.length && a.every((element, index) => equalValues(element, b[index]!));
  }
  if (type === 'M') return equalItems(left.M!, right.M!);
  if (type === 'SS' || type === 'NS' || type === 'BS') {
    const others = new Set(right[type]);
    return left[type]!.length === others.size && left[type]!.every((element) => others.has(element));
  }
  return left[type] === right[type];
}

export function equalItems(left: Item, right: Item): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => {
    const other = attribute(right, name);
    return other !== undefined && equalValues(left[name]!, other);
  });
}

/** Order of two values of one ordered type (S by UTF-8 bytes, N by value, B by bytes), or undefined where there is none. */
export function compareValues(left: AttributeValue, right: AttributeValue): number | undefined {
  if (left.S !== undefined && right.S !== undefined)
    return compareUnits(sortableString(left.S), sortableString(right.S));
  if (left.N !== undefined && right.N !== undefined) return compareNumbers(left.N, right.N);
  if (left.B !== undefined && right.B !== undefined) return compareUnits(bytesOf(left.B), bytesOf(right.B));
  return undefined;
}

function compareUnits(left: string, right: string): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

/** The bytes of a base64 value, one character each, which sorts them and finds prefixes. */
export function bytesOf(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1');
}

/** A string whose order by code unit is the order of the text's UTF-8 bytes; prefixes stay prefixes. */
export function sortableString(text: string): string {
  // UTF-16 puts surrogate pairs (U+10000 and above) before U+E000–U+FFFF; UTF-8 puts them after.
  return text.replace(/[\uD800-\uFFFF]/g, (unit) => {
    const code = unit.charCodeAt(0);
    return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800);
  });
}
