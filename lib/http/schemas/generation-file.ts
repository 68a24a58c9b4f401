import * as z from 'zod';
import { rule, timestamp } from './field.ts';
import { pageQuery } from './page.ts';

/** A file or link in a saved generation of the workspace. */
export const generationFile = z
  .discriminatedUnion('type', [
    z.object({
      path: z.string(),
      type: z.literal('file'),
      bytes: z.int(),
      mode: z.string().describe('Permission bits in octal, as in chmod'),
      modifiedAt: timestamp,
      sha256: z.string(),
    }),
    z.object({ path: z.string(), type: z.literal('symlink'), target: z.string() }),
  ])
  .meta({ id: 'GenerationFile' });

export type GenerationFile = z.output<typeof generationFile>;

export const generationFilesQuery = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(4096, rule('a path as the list has it is allowed'))
    .optional()
    .describe('Answers with this file itself, as application/octet-stream, up to 4 MiB'),
  ...pageQuery,
});
