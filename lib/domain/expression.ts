import jsonata from 'jsonata';
import { BoundedRegExp } from './bounded-regexp.ts';
import { brief, type Issue } from './errors.ts';
import { distinct, padded } from './expression-functions.ts';
import { freeVariables, type StepReads, stepReads } from './expression-reads.ts';

/**
 * JSONata between `{%` and `%}`, as in AWS Step Functions: a string of a template that is one expression from its
 * beginning to its end stands for any JSON value. An expression sees its bindings and JSONata's own functions, nothing else.
 */

/** What evaluating one expression may take. Expressions are not programs: what needs more belongs into an agent. */
export const expressionLimits = {
  timeoutMs: 1_000,
  /** Nested evaluations, so the depth of a recursion too. */
  depth: 500,
  /** Items of one array that an expression makes. */
  items: 100_000,
  /** Bytes of JSON of all that one template evaluates to. */
  resultBytes: 8 * 1024 * 1024,
  /** Nesting of templates and results. */
  nesting: 64,
  /** Characters of one expression. */
  length: 8_192,
} as const;

/** What an expression sees, by the name after its `$`. */
export type Bindings = Record<string, unknown>;

/** An expression that could not be evaluated, or gave what is no JSON. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  /** Where it stands, e.g. `steps.read.input.url`. */
  readonly path: string;
  readonly expression: string;

  constructor(path: string, expression: string, why: string) {
    const shown = expression.length > 200 ? `${expression.slice(0, 200)}…` : expression;
    // An expression can say by $error(…) whatever it likes.
    super(`The expression {% ${shown} %} in ${path} failed: ${brief({ message: why }).message}`);
    this.path = path;
    this.expression = expression;
  }
}

/** The expression in a string, or undefined if the string is only text. */
export function expressionIn(text: string): string | undefined {
  const trimmed = text.trim();
  return trimmed.startsWith('{%') && trimmed.endsWith('%}') && trimmed.length >= 4
    ? trimmed.slice(2, -2).trim()
    : undefined;
}

/**
 * What is wrong with the expressions of a template, each with its path: what does not parse, a variable that is not
 * bound, an expression within a longer text.
 *
 * @param variables the names that will be bound, without `$`
 */
export function checkExpressions(template: unknown, path: string, variables: readonly string[]): Issue[] {
  if (typeof template === 'string') return checkText(template, path, variables);
  return childrenOf(template).flatMap(([key, child]) => checkExpressions(child, joined(path, key), variables));
}

function checkText(text: string, path: string, variables: readonly string[]): Issue[] {
  const source = expressionIn(text);
  if (source === undefined) {
    if (!/\{%[\s\S]*%\}/.test(text)) return [];
    const message = `Received ${quoted(text)}; an expression must be the whole text, like "{% 'page ' & $run.input.page %}".`;
    return [{ path, message }];
  }
  if (source.length > expressionLimits.length) {
    const message = `Received an expression of ${source.length} characters; at most ${expressionLimits.length} are allowed.`;
    return [{ path, message }];
  }
  let compiled: Compiled;
  try {
    compiled = compile(source);
  } catch (error) {
    return [{ path, message: `Received ${quoted(text)}, which is not JSONata: ${reasonOf(error)}` }];
  }
  return compiled.free
    .filter((name) => !variables.includes(name))
    .map((name) => {
      const known = variables.map((variable) => `$${variable}`).join(', ');
      return {
        path,
        message: `Received ${quoted(text)}; there is no $${name} here. ${known || 'No variable'} may be used.`,
      };
    });
}

/** Which steps the expressions of a template read by `$steps`; one that can't be told from its text may read all. */
export function stepsReadBy(template: unknown): StepReads {
  if (typeof template === 'string') {
    const source = expressionIn(template);
    return source === undefined ? { names: new Set(), any: false } : compile(source).reads;
  }
  const reads: StepReads = { names: new Set(), any: false };
  for (const [, child] of childrenOf(template)) {
    const { names, any } = stepsReadBy(child);
    for (const name of names) reads.names.add(name);
    reads.any ||= any;
  }
  return reads;
}

export interface EvaluateOptions {
  /** Names the template in errors, e.g. `steps.read.input`. */
  path: string;
  /** What `$now()` and `$millis()` tell. */
  nowMs: number;
  /** Take an expression that gives nothing as undefined, instead of refusing it. Only of the whole template. */
  allowNothing?: boolean;
}

/**
 * A template with its expressions evaluated; the rest is copied as it is. The result is plain JSON.
 *
 * @throws ExpressionError naming the expression and its path
 */
export async function evaluate(template: unknown, bindings: Bindings, options: EvaluateOptions): Promise<unknown> {
  const room = { bytes: expressionLimits.resultBytes };
  return filled(template, bindings, options, room, 0);
}

async function filled(
  template: unknown,
  bindings: Bindings,
  options: EvaluateOptions,
  room: Room,
  depth: number,
): Promise<unknown> {
  if (typeof template === 'string') {
    const source = expressionIn(template);
    return source === undefined ? template : result(source, bindings, options, room);
  }
  if (typeof template !== 'object' || template === null) return template;
  if (depth > expressionLimits.nesting) throw new ExpressionError(options.path, '', nestedTooDeep);
  const inner = (path: string) => ({ ...options, path, allowNothing: false });
  if (Array.isArray(template)) {
    const items: unknown[] = [];
    for (const [i, item] of template.entries())
      items.push(await filled(item, bindings, inner(`${options.path}[${i}]`), room, depth + 1));
    return items;
  }
  const entries: [string, unknown][] = [];
  for (const [key, value] of Object.entries(template))
    entries.push([key, await filled(value, bindings, inner(joined(options.path, key)), room, depth + 1)]);
  return Object.fromEntries(entries);
}

async function result(source: string, bindings: Bindings, options: EvaluateOptions, room: Room): Promise<unknown> {
  let value: unknown;
  try {
    value = await compile(source).expression.evaluate(null, { ...bindings, ...clockOf(options.nowMs) });
  } catch (error) {
    throw new ExpressionError(options.path, source, reasonOf(error));
  }
  if (value === undefined) {
    if (options.allowNothing) return undefined;
    const hint = 'it gave nothing: something that it names is missing. Write ?? null behind it if that is meant.';
    throw new ExpressionError(options.path, source, hint);
  }
  try {
    return plain(value, room, 0);
  } catch (error) {
    throw new ExpressionError(options.path, source, reasonOf(error));
  }
}

/** An expression that is evaluated again after a crash must see the same time, and a test decides which. */
function clockOf(nowMs: number): Bindings {
  return {
    millis: () => nowMs,
    now: (picture?: string, zone?: string) => fromMillis.evaluate(null, { nowMs, picture, zone }),
  };
}

const fromMillis = jsonata('$fromMillis($nowMs, $picture, $zone)');

interface Compiled {
  expression: jsonata.Expression;
  free: string[];
  reads: StepReads;
}

const compiledOnes = new Map<string, Compiled>();
const compiledAtMost = 1_000;

/** @throws what JSONata throws for what does not parse */
function compile(source: string): Compiled {
  const known = compiledOnes.get(source);
  if (known) return known;
  const { timeoutMs: timeout, depth: stack, items: sequence } = expressionLimits;
  const expression = jsonata(source, { timeout, stack, sequence, RegexEngine: BoundedRegExp as RegExpConstructor });
  const ast: unknown = expression.ast();
  // Text that becomes an expression only while it runs could be checked by nobody.
  expression.registerFunction('eval', () => {
    throw new Error('$eval is not available');
  });
  expression.registerFunction('pad', padded, '<s-ns?:s>');
  expression.registerFunction('distinct', distinct, '<x:x>');
  const compiled = { expression, free: freeVariables(ast), reads: stepReads(ast) };
  if (compiledOnes.size >= compiledAtMost) compiledOnes.clear();
  compiledOnes.set(source, compiled);
  return compiled;
}

interface Room {
  bytes: number;
}

const nestedTooDeep = `it is nested deeper than ${expressionLimits.nesting} levels`;

/** A copy that is nothing but JSON: JSONata's arrays carry marks of their own, and a function is a value to it. */
function plain(value: unknown, room: Room, depth: number): unknown {
  if (depth > expressionLimits.nesting) throw new Error(nestedTooDeep);
  room.bytes -= typeof value === 'string' ? value.length + 2 : 2;
  if (room.bytes < 0) throw new Error(`its result has more than ${expressionLimits.resultBytes} bytes`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new Error('it gave a number that JSON does not know');
  }
  if (Array.isArray(value)) return value.map((item) => plain(item ?? null, room, depth + 1));
  if (typeof value !== 'object' || '_jsonata_function' in value || '_jsonata_lambda' in value)
    throw new Error('it gave a function instead of a value');
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.map(([key, member]) => {
      room.bytes -= key.length + 3;
      return [key, plain(member, room, depth + 1)];
    }),
  );
}

function reasonOf(error: unknown): string {
  const { message, position } = error as { message?: string; position?: number };
  const sentence = (message ?? String(error)).replace(/[.\s]*$/, '.');
  return position ? `${sentence.slice(0, -1)} (at character ${position}).` : sentence;
}

function childrenOf(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return [...value.entries()];
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function joined(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
