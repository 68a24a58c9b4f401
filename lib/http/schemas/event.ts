import * as z from 'zod';
import { rule, timestamp } from './field.ts';
import { id, templateName } from './id.ts';
import { feedQuery, repeated } from './page.ts';

export const actor = z
  .object({ type: z.enum(['key', 'agent', 'schedule', 'system']), id: z.string() })
  .meta({ id: 'Actor' });

export const event = z
  .object({
    id: id('event'),
    seq: z.int().describe('Gapless and rising within the agent, run, schedule or pool that it is of'),
    type: z.string().meta({ examples: ['task.succeeded'] }),
    time: timestamp,
    agentId: id('agent').nullable(),
    taskId: id('task').nullable(),
    runId: id('run').nullable(),
    schedule: z.string().nullable().describe('Name of the schedule that it is of'),
    pool: z.string().nullable().describe('Name of the template whose warm pool it is of'),
    actor,
    cause: z.string().nullable().describe('The event or the request that brought this about'),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });

export type Actor = z.output<typeof actor>;
export type Event = z.output<typeof event>;

const eventType = z
  .string()
  .max(64)
  .regex(/^[a-z]+\.[a-z_]+$/, rule('a type like task.succeeded is allowed'));

/** `type` may repeat: any of them. */
export const listEventsQuery = z.strictObject({
  agentId: id('agent').optional(),
  taskId: id('task').optional(),
  runId: id('run').optional(),
  schedule: templateName.optional().describe('Name of a schedule'),
  type: repeated(eventType),
  ...feedQuery,
});
