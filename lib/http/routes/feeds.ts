import * as z from 'zod';
import { contract } from '../route.ts';
import { event, listEventsQuery } from '../schemas/event.ts';
import { pathId } from '../schemas/id.ts';
import { listLogsQuery, logLine } from '../schemas/log.ts';
import { page } from '../schemas/page.ts';

export const listEvents = contract({
  id: 'listEvents',
  method: 'GET',
  path: '/v1/events',
  tag: 'Events and logs',
  summary: 'Read events after a cursor, oldest first; with waitSeconds, wait for new ones',
  description: 'Go on with after=nextCursor. The type may repeat.',
  auth: 'key',
  query: listEventsQuery,
  answer: page(event),
  status: 200,
  waits: true,
});

export const listLogs = contract({
  id: 'listLogs',
  method: 'GET',
  path: '/v1/agents/{id}/logs',
  tag: 'Events and logs',
  summary: 'Read log lines after a cursor, oldest first; with waitSeconds, wait for new ones',
  description: 'Go on with after=nextCursor. Without taskId: the lines of all tasks of the agent.',
  auth: 'key',
  params: z.object({ id: pathId('agent') }),
  query: listLogsQuery,
  answer: page(logLine),
  status: 200,
  waits: true,
  errors: ['not_found'],
});
