/**
 * JSON of users, kept in one attribute as text. DynamoDB's own types hold less than JSON does: 38 digits between 1e-130
 * and 1e126, 32 levels, no empty names; and the SDK refuses numbers beyond 2^53.
 */
export type FreeJson = { text: string } | { json: string };

/** A string is kept as it is, since the escapes of JSON could make it six times as long. */
export function packed(value: unknown): FreeJson | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? { text: value } : { json: JSON.stringify(value) };
}

export function unpacked(packed: unknown): unknown {
  if (packed === undefined) return undefined;
  const free = packed as FreeJson;
  return 'text' in free ? free.text : JSON.parse(free.json);
}

/** The same item with some of its attributes packed. */
export function withPacked(item: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return mapped(item, names, packed);
}

export function withUnpacked(item: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return mapped(item, names, unpacked);
}

function mapped(item: Record<string, unknown>, names: readonly string[], map: (value: unknown) => unknown) {
  const free = names.filter((name) => item[name] !== undefined);
  return { ...item, ...Object.fromEntries(free.map((name) => [name, map(item[name])])) };
}
