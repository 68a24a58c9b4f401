import type { z } from 'zod';
import type { Issue } from '../domain/errors.ts';
import { RouseError } from '../domain/errors.ts';
import { allowedText, show } from './schemas/field.ts';
import { nearest } from './suggestion.ts';

const maxIssues = 20;

/**
 * Parses `input` or throws one 422 with every problem in it: `not_supported` if a field that is known but not built
 * was used, else `invalid`.
 */
export function parseOrThrow<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input, { error: sentence });
  if (result.success) return result.data;
  throw invalidInput(result.error);
}

/** The RouseError of a zod error: at most 20 issues, each with the path of the field. */
export function invalidInput(error: z.core.$ZodError): RouseError {
  const all = error.issues.flatMap((issue) => issuesOf(issue, []));
  const issues = all.slice(0, maxIssues);
  const unbuilt = error.issues.filter(isNotBuilt);
  // An unknown field is often why a required one is missing: the misspelt one.
  const telling = unbuilt[0] ?? error.issues.find((issue) => issue.code === 'unrecognized_keys');
  const first = telling ? issuesOf(telling, [])[0] : issues[0];
  const detail =
    first === undefined ? 'The input is invalid.' : `${first.path ? `${first.path}: ` : ''}${first.message}`;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return new RouseError(unbuilt.length > 0 ? 'not_supported' : 'invalid', detail + more, { issues });
}

function isNotBuilt(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return issue.expected === 'never';
  return issue.code === 'custom' && issue.params?.notBuilt === true;
}

function issuesOf(issue: z.core.$ZodIssue, parents: PropertyKey[]): Issue[] {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const sentences = issue.message.split('\n');
    return issue.keys.map((key, index) => ({
      path: pathText([...path, key]),
      message: sentences[index] ?? issue.message,
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path: pathText(path), message: issue.issues[0]?.message ?? issue.message }];
  }
  return [{ path: pathText(path), message: issue.message }];
}

function pathText(path: PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const name = String(part).slice(0, 100);
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** The sentence for an issue whose schema brings none of its own: what was received and what is allowed. */
export const sentence: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(key, issue.inst)).join('\n');
    case 'invalid_type':
      if (issue.input === undefined) return `This field is required (${withArticle(expectedOf(issue))}).`;
      return `Received ${show(issue.input)}; ${withArticle(expectedOf(issue))} is allowed.`;
    case 'invalid_value':
      return `Received ${show(issue.input)}; allowed: ${allowedText(issue.values)}.`;
    case 'invalid_union': {
      const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : [];
      if (!issue.discriminator || options.length === 0)
        return `Received ${show(issue.input)}, which fits no allowed form.`;
      const tag = (issue.input as Record<string, unknown> | undefined)?.[issue.discriminator];
      const allowed = allowedText(options);
      return tag === undefined
        ? `This field is required; allowed: ${allowed}.`
        : `Received ${show(tag)}; allowed: ${allowed}.`;
    }
    case 'too_big':
    case 'too_small':
      return boundSentence(issue);
    default:
      return undefined;
  }
};

type BoundIssue = z.core.$ZodRawIssue<z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall>;

function boundSentence(issue: BoundIssue): string {
  const big = issue.code === 'too_big';
  const bound = big ? issue.maximum : issue.minimum;
  const word = `at ${big ? 'most' : 'least'} ${bound}`;
  const input = issue.input;
  if (typeof input === 'string') return `Received ${input.length} characters; ${word} are allowed.`;
  if (Array.isArray(input)) return `Received ${input.length} items; ${word} are allowed.`;
  return `Received ${show(input)}; ${word} is allowed.`;
}

function unknownField(key: string, schema: unknown): string {
  const shape = (schema as { _zod?: { def?: { shape?: Record<string, unknown> } } } | undefined)?._zod?.def?.shape;
  const known = Object.keys(shape ?? {});
  const near = nearest(key, known);
  if (near !== undefined) return `Unknown field; did you mean "${near}"?`;
  return known.length === 0 ? 'Unknown field; none is allowed here.' : `Unknown field; known are ${known.join(', ')}.`;
}

/** zod says that an absent integer should be a number; its schema knows better. */
function expectedOf(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidType>): string {
  const def = (issue.inst as { _zod?: { def?: { format?: string } } } | undefined)?._zod?.def;
  return issue.expected === 'number' && def?.format === 'safeint' ? 'int' : issue.expected;
}

function withArticle(expected: string): string {
  const names: Record<string, string> = {
    record: 'an object',
    object: 'an object',
    array: 'an array',
    int: 'an integer',
  };
  return names[expected] ?? `a ${expected}`;
}
