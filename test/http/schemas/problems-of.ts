import type { z } from 'zod';
import { isRouseError } from '../../../lib/domain/errors.ts';
import { parseOrThrow } from '../../../lib/http/issues.ts';

/** The code and the issues that an input gets, each as `path: message`; nothing if it is valid. */
export function problemsOf(schema: z.ZodType, input: unknown): { code?: string; issues: string[] } {
  try {
    parseOrThrow(schema, input);
    return { issues: [] };
  } catch (error) {
    if (!isRouseError(error)) throw error;
    return { code: error.code, issues: (error.issues ?? []).map(({ path, message }) => `${path}: ${message}`) };
  }
}
