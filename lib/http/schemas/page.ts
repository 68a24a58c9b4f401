import * as z from 'zod';
import { integer, rule } from './field.ts';

/** Query parameters are text: a whole number becomes a number, anything else is refused by the schema behind it. */
function fromText<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => {
    if (Array.isArray(value)) return value;
    return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  }, schema);
}

export function queryInteger(min: number, max: number) {
  return fromText(integer(min, max));
}

/** A parameter that may be given more than once. Absent: an empty array, which means "any". */
export function repeated<Item extends z.ZodType>(item: Item, max = 20) {
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(item).max(max)).default([]);
}

/**
 * Where a page begins: the keys of the last item of the page before. Opaque to clients, and not secret: a store must
 * take only positions from it, never the tenant or the partition.
 */
export type Cursor = Record<string, string | number>;

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor), 'utf8').toString('base64url');
}

/** Positions are ids, names, numbers and what is made of them; no store has to be asked about anything else. */
const position = z.string().regex(/^[\x21-\x7e]{1,256}$/);
const cursorValue = z.record(z.string(), z.union([position, z.number()]));

/** Decodes a cursor; anything that this API did not make is refused. */
export const cursor = z
  .string()
  .max(2048)
  .transform((text, context): Cursor => {
    const decoded = decodeCursor(text);
    if (decoded !== undefined) return decoded;
    context.addIssue({
      code: 'custom',
      message: rule('only a nextCursor of this list is allowed').error({ input: text }),
    });
    return z.NEVER;
  })
  .meta({ description: 'The nextCursor of the page before' });

function decodeCursor(text: string): Cursor | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    return cursorValue.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

const limit = queryInteger(1, 200).default(50).describe('Items per page: 1 to 200, 50 unless given');

/** Parameters of every list: `limit` (1 to 200, default 50) and `cursor`. */
export const pageQuery = { limit, cursor: cursor.optional() };

/** Seconds to wait for something new: 0 (default) to 25. */
export const waitSeconds = queryInteger(0, 25).default(0).describe('0 to 25: seconds to wait for something new');

/** Parameters of a feed (oldest first): `after` is the `nextCursor` of the answer before. */
export const feedQuery = { limit, after: cursor.optional(), waitSeconds };

/** `{items, nextCursor}`; the cursor is null on the last page. A feed always has one, to go on later. */
export function page<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}
