import * as z from 'zod';
import { contract } from '../route.ts';
import { rule } from '../schemas/field.ts';
import { putOwnScheduleBody, schedule } from '../schemas/schedule.ts';

/** Schedules of an agent for itself, by the token of its runtime. */

const base = { tag: 'Runtime', auth: 'runtime' } as const;
/** Behind the agent's id it still has to be a name. */
const ownName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, rule('1 to 32 lower-case letters, digits and hyphens are allowed'));
const params = z.object({ name: ownName });

export const putOwnSchedule = contract({
  ...base,
  id: 'putOwnSchedule',
  method: 'PUT',
  path: '/v1/runtime/schedules/{name}',
  summary: 'Create or change a schedule of the agent, whose fires are tasks for itself',
  description: 'Everybody else knows it by the name <agent id>-<name>. An agent has at most 100.',
  params,
  body: putOwnScheduleBody,
  answer: schedule,
  status: 201,
  otherStatus: 200,
  errors: ['conflict', 'runtime_replaced'],
});

export const listOwnSchedules = contract({
  ...base,
  id: 'listOwnSchedules',
  method: 'GET',
  path: '/v1/runtime/schedules',
  summary: 'List the schedules that the agent has made',
  answer: z.object({ items: z.array(schedule) }),
  status: 200,
  errors: ['runtime_replaced'],
});

export const deleteOwnSchedule = contract({
  ...base,
  id: 'deleteOwnSchedule',
  method: 'DELETE',
  path: '/v1/runtime/schedules/{name}',
  summary: 'Delete a schedule that the agent has made',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found', 'conflict', 'runtime_replaced'],
});
