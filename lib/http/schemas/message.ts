import * as z from 'zod';
import { line, timestamp } from './field.ts';
import { id } from './id.ts';
import { pageQuery, repeated } from './page.ts';
import { fence, place } from './runtime.ts';
import { taskInput, taskStatus } from './task.ts';
import { origin } from './task-message.ts';

const shape = {
  body: taskInput.meta({ description: 'What the agent gets: a string or any JSON; {"$ref": "upl_…"} is an upload' }),
  topic: line(1, 128).optional().describe('What it is about, for the agent to sort by'),
  replyTo: id('agent').optional().describe('The agent that an answer should go to'),
  wake: z.boolean().default(true).describe('false: a paused agent gets it when it next runs for something else'),
};

export const sendMessageBody = z.strictObject(shape).meta({ id: 'SendMessage' });

/** What a running task sends. */
export const sendFromTaskBody = z
  .strictObject({
    taskId: id('task'),
    fence,
    place,
    to: id('agent'),
    ...shape,
  })
  .meta({ id: 'SendFromTask' });

export const message = z
  .object({
    id: id('message'),
    agentId: id('agent').describe('To whom'),
    ...origin,
    taskId: id('task').describe('The task by which the agent takes it: its body is the input, its answer the output'),
    status: taskStatus.describe('Of that task'),
    createdAt: timestamp,
    finishedAt: timestamp.nullable(),
  })
  .meta({ id: 'Message' });

export type MessageResource = z.output<typeof message>;

/** `status` may repeat: any of them. */
export const listMessagesQuery = z.strictObject({ status: repeated(taskStatus), ...pageQuery });
