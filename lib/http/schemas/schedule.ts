import * as z from 'zod';
import { checkExpressions } from '../../domain/expression.ts';
import { fireOutcomes, overlapPolicies } from '../../domain/schedule.ts';
import { parseScheduleExpression } from '../../domain/schedule-expression.ts';
import { finalStatuses } from '../../domain/task.ts';
import { checkTimeZone } from '../../domain/time-zone.ts';
import { integer, jsonBytes, line, timeInput, timestamp } from './field.ts';
import { id, templateName } from './id.ts';
import { createTaskBody } from './task.ts';

const maxTargetBytes = 16 * 1024;

const expression = z
  .string()
  .superRefine(sentenceOf(parseScheduleExpression))
  .meta({
    description: 'cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) or at(2027-01-31T09:00:00)',
    examples: ['cron(0 9 ? * MON-FRI *)'],
  });

const timezone = z
  .string()
  .max(64)
  .superRefine(sentenceOf(checkTimeZone))
  .default('UTC')
  .meta({ description: 'IANA time zone', examples: ['Europe/Berlin'] });

/** A check whose error is the sentence. */
function sentenceOf(check: (text: string) => unknown) {
  return (text: string, context: z.core.$RefinementCtx) => {
    try {
      check(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
  };
}

const { input, output, priority, expiresInSeconds, timeoutSeconds, maxAttempts, budget, metadata } =
  createTaskBody.shape;

export const scheduledTask = z
  .strictObject({ input, output, priority, expiresInSeconds, timeoutSeconds, maxAttempts, budget, metadata })
  .meta({
    id: 'ScheduledTask',
    description: 'As in POST /v1/agents/{id}/tasks; input and metadata may hold {% $fire… %}',
  });

/** One object with all fields that a target may have, so that each problem is told by its own path. */
export const scheduleTarget = z
  .strictObject({
    agentId: id('agent').optional(),
    template: templateName.optional().describe('A fresh agent of it, which is terminated afterwards'),
    workflow: z.string().max(63).optional(),
    task: scheduledTask.optional(),
    input: z.unknown().optional().describe("Of the workflow's run"),
  })
  .superRefine((target, context) => {
    const { task, input } = target;
    const given = (['agentId', 'template', 'workflow'] as const).filter((name) => target[name] !== undefined);
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (given.length !== 1) {
      const received = given.join(' and ') || 'none of them';
      refuse([], `Received ${received}; one of agentId, template and workflow is allowed.`);
    }
    if (target.workflow === undefined && task === undefined) refuse(['task'], 'This field is required (an object).');
    if (target.workflow === undefined && input !== undefined) refuse(['input'], "An agent's input is in its task.");
    if (target.workflow !== undefined && task !== undefined) refuse(['task'], 'A workflow takes an input and no task.');
    checkSize(target, [], context);
    checkFire({ task: { input: task?.input, metadata: task?.metadata }, input }, context);
  })
  .meta({ id: 'ScheduleTarget', description: 'An agent with a task, a template with a task, or a workflow' });

function checkSize(value: unknown, path: string[], context: z.core.$RefinementCtx): void {
  const bytes = jsonBytes(value);
  if (bytes <= maxTargetBytes) return;
  const message = `Received ${bytes} bytes of JSON; at most ${maxTargetBytes} are allowed. POST /v1/uploads takes larger inputs.`;
  context.addIssue({ code: 'custom', path, message });
}

/** Expressions know `$fire`, and nothing else. */
function checkFire(template: object, context: z.core.$RefinementCtx): void {
  for (const { path, message } of checkExpressions(template, '', ['fire']))
    context.addIssue({ code: 'custom', path: path.split('.'), message });
}

const scheduleFields = {
  expression,
  timezone,
  startAt: timeInput.nullish(),
  endAt: timeInput.nullish(),
  jitterSeconds: integer(0, 86_400)
    .default(0)
    .describe('Each fire starts up to so much later, always the same for one'),
  overlap: z.enum(overlapPolicies).default('skip').describe('What happens while an earlier fire runs'),
  catchupWindowSeconds: integer(60, 31_536_000)
    .default(31_536_000)
    .describe('A fire that comes later than this is missed'),
  pauseOnFailure: z.boolean().default(false).describe('Pause when a fire fails or times out'),
  enabled: z.boolean().optional().describe('false is paused; true unless given, and as it is for one that is there'),
  note: line(0, 500).optional(),
};

interface Range {
  expression: string;
  startAt?: string | null | undefined;
  endAt?: string | null | undefined;
}

function checkRange({ expression, startAt, endAt }: Range, context: z.core.$RefinementCtx): void {
  if (expression.startsWith('at(')) {
    for (const [name, value] of Object.entries({ startAt, endAt }))
      if (value)
        context.addIssue({ code: 'custom', path: [name], message: 'A one-time schedule has its time in at(…).' });
  } else if (startAt && endAt && startAt >= endAt)
    context.addIssue({ code: 'custom', path: ['endAt'], message: `Received ${endAt}; it must come after startAt.` });
}

export const putScheduleBody = z
  .strictObject({ ...scheduleFields, target: scheduleTarget })
  .superRefine(checkRange)
  .meta({ id: 'PutSchedule' });

export type PutScheduleBody = z.output<typeof putScheduleBody>;

/** Of an agent for itself. */
export const putOwnScheduleBody = z
  .strictObject({ ...scheduleFields, task: scheduledTask })
  .superRefine(checkRange)
  .superRefine(({ task }, context) => {
    checkSize(task, ['task'], context);
    checkFire({ task: { input: task.input, metadata: task.metadata } }, context);
  })
  .meta({ id: 'PutOwnSchedule' });

export const pauseScheduleBody = z.strictObject({ note: line(0, 500).optional() }).meta({ id: 'PauseSchedule' });

const overlap = z.enum(overlapPolicies).optional().describe("Instead of the schedule's own policy");

export const triggerBody = z.strictObject({ overlap }).meta({ id: 'TriggerSchedule' });

export const backfillBody = z
  .strictObject({ from: timeInput, to: timeInput, overlap })
  .superRefine(({ from, to }, context) => {
    if (from > to)
      context.addIssue({ code: 'custom', path: ['to'], message: `Received ${to}; it must not be before from.` });
  })
  .meta({ id: 'BackfillSchedule', description: 'A range in the past, of at most 1,000 occurrences' });

const started = {
  agentId: id('agent').nullable(),
  taskId: id('task').nullable(),
  runId: id('run').nullable(),
};

const result = z.object({
  status: z.enum(finalStatuses),
  finishedAt: timestamp,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

export const fire = z
  .object({
    schedule: z.string(),
    scheduledTime: timestamp,
    cause: z.enum(['schedule', 'trigger', 'backfill']),
    outcome: z.enum(fireOutcomes),
    reason: z.string().nullable(),
    decidedAt: timestamp,
    ...started,
    result: result.nullable().describe('What became of what it started; null until that has ended'),
  })
  .meta({ id: 'Fire' });

export const schedule = z
  .object({
    name: z.string(),
    expression: z.string(),
    timezone: z.string(),
    startAt: timestamp.nullable(),
    endAt: timestamp.nullable(),
    jitterSeconds: z.int(),
    target: z.unknown(),
    overlap: z.enum(overlapPolicies),
    catchupWindowSeconds: z.int(),
    pauseOnFailure: z.boolean(),
    enabled: z.boolean(),
    note: z.string(),
    status: z.enum(['active', 'paused', 'completed']),
    statusReason: z.string().nullable(),
    ownerAgentId: id('agent').nullable().describe('The agent that made it for itself'),
    nextFires: z.array(timestamp).describe('The next five times, without jitter; if it is paused, as if it were not'),
    running: z.array(z.object({ scheduledTime: timestamp, ...started })),
    buffered: z.int().describe('Fires that wait for the end of one that runs'),
    backfills: z.array(
      z.object({ from: timestamp, to: timestamp, overlap: z.enum(overlapPolicies), doneUpTo: timestamp }),
    ),
    lastResult: result.extend({ scheduledTime: timestamp }).nullable(),
    createdAt: timestamp,
    updatedAt: timestamp,
  })
  .meta({ id: 'Schedule' });

export type ScheduleResource = z.input<typeof schedule>;
export type FireResource = z.input<typeof fire>;
