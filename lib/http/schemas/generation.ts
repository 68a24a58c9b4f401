import * as z from 'zod';
import { timestamp } from './field.ts';
import { id } from './id.ts';

/** One saved state of an agent's workspace. */
export const generation = z
  .object({
    generation: z.int().min(1),
    parent: z.int().nullable(),
    runtimeId: id('runtime'),
    bytes: z.int(),
    files: z.int(),
    createdAt: timestamp,
    current: z.boolean().describe('Whether the agent wakes with it'),
    damaged: z.object({ reason: z.string(), foundAt: timestamp }).nullable().describe('Why it could not be restored'),
  })
  .meta({ id: 'Generation' });

export type Generation = z.output<typeof generation>;
