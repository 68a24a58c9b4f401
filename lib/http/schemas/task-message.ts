import * as z from 'zod';
import { actor } from './event.ts';
import { id } from './id.ts';

/** Where a message comes from, and where an answer should go. */
export const origin = {
  from: actor.describe('Who sent it: an API key, or another agent'),
  topic: z.string().nullable(),
  replyTo: id('agent').nullable(),
};

/** What a task that came as a message says of it. */
export const taskMessage = z.object({ id: id('message'), ...origin }).meta({ id: 'TaskMessage' });
