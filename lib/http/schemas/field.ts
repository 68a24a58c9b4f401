import * as z from 'zod';

/** Small pieces that all schemas are made of, and how they speak of what they received. */

/** A value as it appears in a message: short, on one line, cut at 60 characters. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}

export function allowedText(values: readonly unknown[]): string {
  return values.map((value) => (typeof value === 'string' ? value : String(value))).join(', ');
}

/** The message of a check: "Received X; <rule>." */
export function rule(text: string): { error: (issue: { input?: unknown }) => string } {
  return { error: (issue) => `Received ${show(issue.input)}; ${text}.` };
}

/** A field of the documented contract that is not built: any value is refused with 422 `not_supported`. */
export function notBuilt(field: string) {
  return z
    .never({ error: `"${field}" is not supported yet. Leave it out.` })
    .optional()
    .describe('Not supported yet.');
}

/** Adds the issue "this value is documented but not built" to a refinement's context. */
export function refuseUnbuilt(context: z.core.$RefinementCtx, message: string, path: PropertyKey[] = []): void {
  context.addIssue({ code: 'custom', message, path, params: { notBuilt: true } });
}

export function integer(min: number, max: number) {
  return z
    .int({
      error: (issue) =>
        issue.input === undefined ? undefined : rule(`an integer from ${min} to ${max} is allowed`).error(issue),
    })
    .min(min, rule(`an integer from ${min} to ${max} is allowed`))
    .max(max, rule(`an integer from ${min} to ${max} is allowed`));
}

export function number(min: number, max: number) {
  return z
    .number()
    .min(min, rule(`${min} to ${max} is allowed`))
    .max(max, rule(`${min} to ${max} is allowed`));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const controlCharacters = /[\u0000-\u001f\u007f]/;

/** One line of text: no control characters. */
export function line(minLength: number, maxLength: number) {
  return z
    .string()
    .min(minLength)
    .max(maxLength)
    .refine((text) => !controlCharacters.test(text), rule('control characters and line breaks are not allowed'));
}

/** Text that becomes an argument or a variable of a process: anything but NUL, with a limit in bytes. */
export function processText(maxBytes: number) {
  return z
    .string()
    .refine((text) => !text.includes('\0'), 'The character NUL is not allowed.')
    .refine((text) => utf8Bytes(text) <= maxBytes, {
      error: (issue) => `Received ${utf8Bytes(String(issue.input))} bytes; at most ${maxBytes} are allowed.`,
    });
}

export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

export function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value) ?? '');
}

/** Time in an answer: RFC 3339, UTC, milliseconds, e.g. `2027-01-31T09:30:00.000Z`. */
export const timestamp = z.iso.datetime({ precision: 3 }).meta({
  description: 'RFC 3339, UTC, milliseconds',
  examples: ['2027-01-31T09:30:00.000Z'],
});

/** Time in a request: RFC 3339 with any offset and precision; the output is UTC with milliseconds. */
export const timeInput = z.iso
  .datetime({ offset: true, ...rule('a time like 2027-01-31T09:30:00.000Z is allowed') })
  .transform((text) => new Date(text).toISOString());

const labelKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/,
    rule('a label key has 1 to 63 letters, digits and ._/- and begins with a letter or digit'),
  );

/** Labels: at most 32; keys without colon, so that `?label=key:value` is unambiguous. */
export const labels = z
  .record(labelKey, line(0, 255))
  .refine((map) => Object.keys(map).length <= 32, {
    error: (issue) => `Received ${Object.keys(issue.input as object).length} labels; at most 32 are allowed.`,
  })
  .meta({ description: 'At most 32 labels' });

/** Free JSON that is only carried along, e.g. ids of the caller's own system. At most 2 KiB as JSON. */
export const metadata = z.record(z.string(), z.unknown()).refine((map) => jsonBytes(map) <= 2048, {
  error: (issue) => `Received ${jsonBytes(issue.input)} bytes of JSON; at most 2048 are allowed.`,
});
