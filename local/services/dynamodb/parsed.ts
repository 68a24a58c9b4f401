import { parseCondition, parseProjection, parseUpdate } from './parser.ts';
import type { ExpressionKind } from './syntax.ts';

const maxCached = 2000;

/** Expressions are few and used often: each is parsed once. */
function cached<T>(parse: (kind: ExpressionKind, source: string) => T) {
  const known = new Map<string, T>();
  return (kind: ExpressionKind, source: string): T => {
    const key = `${kind} ${source}`;
    let found = known.get(key);
    if (found === undefined) {
      found = parse(kind, source);
      if (known.size >= maxCached) known.clear();
      known.set(key, found);
    }
    return found;
  };
}

export const conditionOf = cached(parseCondition);
export const updateOf = cached((_kind, source) => parseUpdate(source));
export const projectionOf = cached((_kind, source) => parseProjection(source));
