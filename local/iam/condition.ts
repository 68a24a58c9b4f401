import { type Context, compilePattern, type Pattern } from './pattern.ts';

/** Whether a request meets one line of a policy's `Condition`. */
export type Condition = (context: Context) => boolean;

type Compare = (pattern: Pattern, value: string, context: Context) => boolean;

interface Operator {
  compare: Compare;
  /** The patterns as they are compared. */
  compile(source: string): Pattern;
  negated?: boolean;
}

const plain: Compare = (pattern, value, context) => pattern.matches(value, context);
const literal = (source: string) => compilePattern(source, { literal: true });
const like = (source: string) => compilePattern(source);
const anyCase = (source: string) => compilePattern(source, { literal: true, ignoreCase: true });

/** Each of the six parts of an ARN is compared for itself: a wildcard does not reach over a colon. */
function arn(source: string): Pattern {
  const parts = arnParts(source).map((part) => compilePattern(part));
  const matches = (text: string, context: Context) => {
    const given = arnParts(text);
    return given.length === parts.length && parts.every((part, i) => part.matches(given[i]!, context));
  };
  return { source, matches };
}

/** A variable may contain colons, the first five others separate. */
function arnParts(text: string): string[] {
  const parts = text.match(/(?:\$\{[^}]*\}|[^:])*(?::|$)/g) ?? [];
  const separate = parts.slice(0, 5).map((part) => part.replace(/:$/, ''));
  return [...separate, parts.slice(5).join('')];
}

const operators: Readonly<Record<string, Operator>> = {
  StringEquals: { compare: plain, compile: literal },
  StringNotEquals: { compare: plain, compile: literal, negated: true },
  StringEqualsIgnoreCase: { compare: plain, compile: anyCase },
  StringLike: { compare: plain, compile: like },
  StringNotLike: { compare: plain, compile: like, negated: true },
  ArnEquals: { compare: plain, compile: arn },
  ArnLike: { compare: plain, compile: arn },
  ArnNotEquals: { compare: plain, compile: arn, negated: true },
  ArnNotLike: { compare: plain, compile: arn, negated: true },
  Bool: { compare: plain, compile: anyCase },
};

/**
 * One condition: an operator, a key, and its values, any of which will do.
 * @throws Error for an operator that the embedded AWS does not know
 */
export function compileCondition(name: string, key: string, values: readonly string[]): Condition {
  const [, set, base = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(name) ?? [];
  const lowerKey = key.toLowerCase();
  if (base === 'Null' && !set && !ifExists) {
    const wantsNull = values.map((value) => value.toLowerCase() === 'true');
    return (context) => wantsNull.includes(context[lowerKey] === undefined);
  }
  const operator = operators[base];
  if (!operator) throw new Error(`the embedded AWS does not know the condition operator ${name}.`);
  const patterns = values.map(operator.compile);
  const holds = (value: string, context: Context) =>
    patterns.some((pattern) => operator.compare(pattern, value, context)) !== (operator.negated ?? false);
  return (context) => {
    const found = context[lowerKey];
    const given = found === undefined ? [] : [found].flat();
    if (set === 'ForAllValues') return given.every((value) => holds(value, context));
    if (set === 'ForAnyValue') return given.some((value) => holds(value, context));
    if (found === undefined) return ifExists !== undefined || operator.negated === true;
    return given.some((value) => holds(value, context));
  };
}
