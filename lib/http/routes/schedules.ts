import * as z from 'zod';
import { contract } from '../route.ts';
import { pathName, templateName } from '../schemas/id.ts';
import { page, pageQuery } from '../schemas/page.ts';
import { backfillBody, fire, pauseScheduleBody, putScheduleBody, schedule, triggerBody } from '../schemas/schedule.ts';

const params = z.object({ name: pathName('schedule') });

const base = { tag: 'Schedules', auth: 'key' } as const;
const read = { ...base, method: 'GET', status: 200 } as const;
const change = { ...base, role: 'member' } as const;
/** A verb of one schedule. */
const verb = { ...change, method: 'POST', params } as const;

export const putSchedule = contract({
  ...change,
  id: 'putSchedule',
  method: 'PUT',
  path: '/v1/schedules/{name}',
  summary: 'Create a schedule, or change it',
  description: 'Answers 201 with a new schedule, 200 with one that was there. What runs goes on.',
  params: z.object({ name: templateName }),
  body: putScheduleBody,
  answer: schedule,
  status: 201,
  otherStatus: 200,
  errors: ['conflict'],
});

export const listSchedules = contract({
  ...read,
  id: 'listSchedules',
  path: '/v1/schedules',
  summary: 'List schedules, newest first',
  query: z.strictObject(pageQuery),
  answer: page(schedule),
});

export const getSchedule = contract({
  ...read,
  id: 'getSchedule',
  path: '/v1/schedules/{name}',
  summary: 'Read a schedule',
  params,
  answer: schedule,
  errors: ['not_found'],
});

export const deleteSchedule = contract({
  ...change,
  id: 'deleteSchedule',
  method: 'DELETE',
  path: '/v1/schedules/{name}',
  summary: 'Delete a schedule; what it has started goes on',
  params,
  answer: z.undefined(),
  status: 204,
  errors: ['not_found', 'conflict'],
});

export const pauseSchedule = contract({
  ...verb,
  id: 'pauseSchedule',
  path: '/v1/schedules/{name}/pause',
  summary: 'Pause a schedule: it fires no more until resumed, but when triggered',
  body: pauseScheduleBody,
  answer: schedule,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const resumeSchedule = contract({
  ...verb,
  id: 'resumeSchedule',
  path: '/v1/schedules/{name}/resume',
  summary: 'Resume a schedule; what would have fired meanwhile is left to a backfill',
  body: pauseScheduleBody,
  answer: schedule,
  status: 200,
  errors: ['not_found', 'illegal_transition', 'conflict'],
});

export const triggerSchedule = contract({
  ...verb,
  id: 'triggerSchedule',
  path: '/v1/schedules/{name}/trigger',
  summary: 'Fire now, also while it is paused; the overlap policy counts',
  body: triggerBody,
  answer: fire,
  status: 202,
  errors: ['not_found', 'conflict'],
});

export const backfillSchedule = contract({
  ...verb,
  id: 'backfillSchedule',
  path: '/v1/schedules/{name}/backfill',
  summary: 'Start the occurrences of a range in the past that were never started',
  description:
    'One after the other under buffer_all, beside each other under allow_all, by the policy otherwise. Each occurrence starts once, whatever asks for it.',
  body: backfillBody,
  answer: schedule,
  status: 202,
  errors: ['not_found', 'conflict'],
});

export const listFires = contract({
  ...read,
  id: 'listFires',
  path: '/v1/schedules/{name}/fires',
  summary: 'List the fires of a schedule with what became of them, latest first',
  params,
  query: z.strictObject(pageQuery),
  answer: page(fire),
  errors: ['not_found'],
});
