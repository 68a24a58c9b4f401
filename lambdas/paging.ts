import { type Cursor, encodeCursor } from '../lib/http/schemas/page.ts';

/** How long a presigned URL works. */
export const urlSeconds = 900;

/** Lists are ordered by an immutable key, so a cursor is the last one that was shown. */
export function positionOf(cursor: Cursor | undefined): string | undefined {
  return cursor === undefined ? undefined : String(cursor.before);
}

export function nextCursor(next: string | undefined): string | null {
  return next === undefined ? null : encodeCursor({ before: next });
}
