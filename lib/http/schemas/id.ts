import * as z from 'zod';
import { notFoundSentence } from '../../domain/errors.ts';
import { type IdKind, idPrefixes, isId } from '../../domain/id.ts';
import { rule } from './field.ts';

function describedAs(kind: IdKind) {
  const description = `Id of ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
  return { description, pattern: `^${idPrefixes[kind]}_[0-7][0-9A-HJKMNP-TV-Z]{25}$` };
}

/** An id in an answer, a body or a query. */
export function id(kind: IdKind) {
  const allowed = rule(`an id of the form ${idPrefixes[kind]}_ and a ULID is allowed`);
  return z
    .string()
    .refine((text) => isId(kind, text), allowed)
    .meta(describedAs(kind));
}

/** An id in a path. One that can't exist gets the same sentence (and 404) as one that doesn't. */
export function pathId(kind: IdKind) {
  const absent = { error: (issue: { input?: unknown }) => notFoundSentence(kind, String(issue.input)) };
  return z
    .string()
    .refine((text) => isId(kind, text), absent)
    .meta(describedAs(kind));
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Name of a template in a body or query. */
export const templateName = z
  .string()
  .regex(
    namePattern,
    rule('a name has 1 to 63 lower-case letters, digits and hyphens and begins with a letter or digit'),
  );

/** Name in a path that is read: a name that can't exist is a 404. */
export function pathName(noun: string) {
  return z.string().regex(namePattern, { error: (issue) => notFoundSentence(noun, String(issue.input)) });
}

/** A number in a path, from 1. One that can't exist is a 404. */
export function pathNumber(noun: string) {
  return z
    .string()
    .regex(/^[1-9]\d{0,8}$/, { error: (issue) => notFoundSentence(noun, String(issue.input)) })
    .transform(Number);
}
