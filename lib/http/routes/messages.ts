import * as z from 'zod';
import { contract } from '../route.ts';
import { pathId } from '../schemas/id.ts';
import { listMessagesQuery, message, sendFromTaskBody, sendMessageBody } from '../schemas/message.ts';
import { page } from '../schemas/page.ts';

const params = z.object({ id: pathId('agent') });
const sendErrors = ['not_found', 'agent_archived', 'agent_terminated', 'conflict'] as const;

export const sendMessage = contract({
  id: 'sendMessage',
  method: 'POST',
  path: '/v1/agents/{id}/messages',
  tag: 'Messages',
  auth: 'key',
  role: 'member',
  summary: 'Send an agent a message; a paused agent wakes by itself, unless wake is false',
  description:
    'The agent takes its messages and its tasks one after the other, from one queue. A message is taken as a task: the body is its input, and GET /v1/tasks/{taskId} tells what became of it.',
  params,
  body: sendMessageBody,
  answer: message,
  status: 202,
  errors: sendErrors,
});

export const listMessages = contract({
  id: 'listMessages',
  method: 'GET',
  path: '/v1/agents/{id}/messages',
  tag: 'Messages',
  auth: 'key',
  summary: 'List the messages that were sent to an agent, newest first',
  params,
  query: listMessagesQuery,
  answer: page(message),
  status: 200,
  errors: ['not_found'],
});

export const sendFromTask = contract({
  id: 'sendFromTask',
  method: 'POST',
  path: '/v1/runtime/messages',
  tag: 'Runtime',
  auth: 'runtime',
  idempotent: true,
  summary: 'Send another agent a message from a running task',
  description: 'With an Idempotency-Key, sending it again is sending it once.',
  body: sendFromTaskBody,
  answer: message,
  status: 202,
  errors: [...sendErrors, 'fence_lost', 'runtime_replaced'],
});
