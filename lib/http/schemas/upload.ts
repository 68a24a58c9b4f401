import * as z from 'zod';
import { integer, rule, timestamp } from './field.ts';
import { id } from './id.ts';

export const maxUploadBytes = 100 * 1024 * 1024;

export const createUploadBody = z
  .strictObject({
    sizeBytes: integer(1, maxUploadBytes).optional().describe('If given, the URL accepts exactly this many bytes'),
    contentType: z
      .string()
      .max(128)
      .regex(/^[\w.+-]+\/[\w.+-]+(; ?[\w-]+=[\w.+-]+)*$/, rule('a media type like application/json is allowed'))
      .default('application/octet-stream'),
  })
  .meta({ id: 'CreateUpload' });

/** PUT the bytes to `url` with `headers` before `expiresAt`; then use `{"$ref": ref}` as a task's input. */
export const upload = z
  .object({
    ref: id('upload'),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    maxBytes: z.int(),
    expiresAt: timestamp,
  })
  .meta({ id: 'Upload' });

export type Upload = z.output<typeof upload>;
