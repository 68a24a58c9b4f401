import { RouseError } from '../domain/errors.ts';
import type { Method } from './route.ts';

interface Entry<T> {
  method: Method;
  segments: string[];
  value: T;
}

/** Where a request leads: a value with the path's parameters, or the methods that the path has, or nothing. */
export type Match<T> =
  | { kind: 'found'; value: T; params: Record<string, string> }
  | { kind: 'other_method'; methods: Method[] }
  | { kind: 'unknown' };

/** Finds by method and path; parameters are whole segments, written `{name}`. */
export class PathTable<T> {
  readonly #byLength = new Map<number, Entry<T>[]>();

  add(method: Method, path: string, value: T): void {
    const segments = path.split('/');
    const entries = this.#byLength.get(segments.length) ?? [];
    const twin = entries.find((entry) => entry.method === method && sameShape(entry.segments, segments));
    if (twin) throw new Error(`Two routes for ${method} ${path}: the other one is ${twin.segments.join('/')}.`);
    entries.push({ method, segments, value });
    this.#byLength.set(segments.length, entries);
  }

  find(method: string, path: string): Match<T> {
    const segments = path.split('/');
    const methods: Method[] = [];
    for (const entry of this.#byLength.get(segments.length) ?? []) {
      const params = matchSegments(entry.segments, segments);
      if (params === undefined) continue;
      if (entry.method === method) return { kind: 'found', value: entry.value, params };
      methods.push(entry.method);
    }
    return methods.length > 0 ? { kind: 'other_method', methods } : { kind: 'unknown' };
  }
}

function matchSegments(pattern: string[], segments: string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const received = segments[index]!;
    if (!isParameter(expected)) {
      if (expected !== received) return undefined;
      continue;
    }
    const decoded = decode(received);
    if (decoded === '') return undefined;
    params[expected.slice(1, -1)] = decoded;
  }
  return params;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}

function sameShape(a: string[], b: string[]): boolean {
  return a.every((segment, index) => segment === b[index] || (isParameter(segment) && isParameter(b[index]!)));
}

/** A broken escape can't be part of any id: it stays as it is and is not found. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function unknownPath(method: string, path: string): RouseError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new RouseError('not_found', `There is no ${method} ${shown}. GET /v1/openapi.json lists what there is.`);
}
