import { AwsError } from '../../errors.ts';
import type { StoredObject } from './bucket.ts';
import { invalidArgument, noSuchKey, preconditionFailed } from './errors.ts';

type Headers = Record<string, string | undefined>;

/** Conditions of a read. Returns false when it has not been modified (304). @throws AwsError `PreconditionFailed` */
export function mayRead(object: StoredObject, headers: Headers, prefix = ''): boolean {
  const header = (name: string) => headers[`${prefix}${name}`];
  const ifMatch = header('if-match');
  const ifNoneMatch = header('if-none-match');
  const since = (name: string) => {
    const timeMs = Date.parse(header(name) ?? '');
    return Number.isNaN(timeMs) ? undefined : timeMs;
  };
  // HTTP dates have no milliseconds.
  const modifiedMs = Math.floor(object.modifiedMs / 1000) * 1000;
  if (ifMatch !== undefined && !matches(ifMatch, object)) throw preconditionFailed('If-Match');
  const unmodified = since('if-unmodified-since');
  if (ifMatch === undefined && unmodified !== undefined && modifiedMs > unmodified)
    throw preconditionFailed('If-Unmodified-Since');
  if (ifNoneMatch !== undefined) return !matches(ifNoneMatch, object);
  const modified = since('if-modified-since');
  return modified === undefined || modifiedMs > modified;
}

/** Conditions of a write over what is there. @throws AwsError `PreconditionFailed`, or `NoSuchKey` for If-Match without an object */
export function checkWrite(key: string, existing: StoredObject | undefined, headers: Headers): void {
  const ifNoneMatch = headers['if-none-match'];
  const ifMatch = headers['if-match'];
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
    throw new AwsError(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented: If-None-Match of a write can only be *',
      501,
    );
  if (ifNoneMatch !== undefined && existing) throw preconditionFailed('If-None-Match');
  if (ifMatch === undefined) return;
  if (!existing) throw noSuchKey(key);
  if (!matches(ifMatch, existing)) throw preconditionFailed('If-Match');
}

function matches(condition: string, object: StoredObject): boolean {
  const strip = (etag: string) => etag.trim().replace(/^W\//, '').replace(/^"|"$/g, '');
  return condition.split(',').some((etag) => etag.trim() === '*' || strip(etag) === strip(object.etag));
}

/** The bytes that a Range header asks for, end exclusive; undefined for all. @throws AwsError `InvalidRange` (416) */
export function parseRange(range: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [from, to] = [match[1]!, match[2]!];
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  if (start >= size || end <= start) throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416);
  return { start, end };
}

export function checkPartNumber(value: string | undefined): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 10_000)
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive');
  return number;
}
