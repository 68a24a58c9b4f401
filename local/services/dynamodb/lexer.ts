import { validationError } from './errors.ts';
import type { ExpressionKind } from './syntax.ts';

export interface Token {
  kind: 'name' | 'nameRef' | 'valueRef' | 'number' | 'symbol' | 'unknown' | 'end';
  text: string;
  /** Where it starts and ends in the source. */
  start: number;
  end: number;
}

const shapes: readonly [Token['kind'], RegExp][] = [
  ['name', /[A-Za-z][A-Za-z0-9_]*/y],
  ['nameRef', /#[A-Za-z0-9_]+/y],
  ['valueRef', /:[A-Za-z0-9_]+/y],
  ['symbol', /<=|>=|<>|[=<>(),.[\]+-]/y],
  ['number', /0|[1-9][0-9]*/y],
  ['unknown', /./suy],
];
const space = /\s*/y;
const maxExpressionBytes = 4096;

/** The tokens of an expression, closed by an `end` token. */
export function tokenize(kind: ExpressionKind, source: string): Token[] {
  if (source === '') throw expressionError(kind, 'The expression can not be empty;');
  const bytes = Buffer.byteLength(source);
  if (bytes > maxExpressionBytes)
    throw expressionError(
      kind,
      `Expression size has exceeded the maximum allowed size; expression size: ${bytes}, maximum size: ${maxExpressionBytes}`,
    );
  const tokens: Token[] = [];
  for (let at = skipSpace(source, 0); at < source.length; ) {
    const token = tokenAt(source, at);
    tokens.push(token);
    at = skipSpace(source, token.end);
  }
  tokens.push({ kind: 'end', text: '<EOF>', start: source.length, end: source.length });
  return tokens;
}

function tokenAt(source: string, start: number): Token {
  for (const [kind, shape] of shapes) {
    shape.lastIndex = start;
    const match = shape.exec(source);
    if (match) return { kind, text: match[0], start, end: shape.lastIndex };
  }
  throw new Error('Every character is a token.');
}

function skipSpace(source: string, at: number): number {
  space.lastIndex = at;
  space.exec(source);
  return space.lastIndex;
}

export function expressionError(kind: ExpressionKind, detail: string) {
  return validationError(`Invalid ${kind}: ${detail}`);
}

/** "Syntax error" at a token, shown with its neighbours. */
export function syntaxError(kind: ExpressionKind, source: string, token: Token, before?: Token, after?: Token) {
  const near = source.slice(before?.start ?? 0, (after ?? token).end);
  return expressionError(kind, `Syntax error; token: "${token.text}", near: "${near}"`);
}
