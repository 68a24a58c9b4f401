import * as z from 'zod';
import { budget } from './budget.ts';
import { integer, jsonBytes, line, metadata, notBuilt, refuseUnbuilt, timeInput, timestamp } from './field.ts';
import { id } from './id.ts';
import { compileJsonSchema, type JsonSchema } from './json-schema.ts';
import { pageQuery, repeated, waitSeconds } from './page.ts';
import { taskMessage } from './task-message.ts';

export const taskStatuses = [
  'queued',
  'running',
  'cancelling',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
  'expired',
] as const;
export const taskStatus = z.enum(taskStatuses);
export type TaskStatus = z.infer<typeof taskStatus>;

const maxSchemaBytes = 16 * 1024;
const uploadRef = id('upload');

/** Any JSON. An object with the one key `$ref` is an upload. */
export const taskInput = z
  .unknown()
  .superRefine((input, context) => {
    if (input === undefined) {
      context.addIssue({ code: 'custom', message: 'This field is required (a string or any JSON).' });
    } else if (isRef(input) && (Object.keys(input).length > 1 || !uploadRef.safeParse(input.$ref).success)) {
      const message = 'An input with "$ref" has this one key, and its value is the "ref" of POST /v1/uploads.';
      context.addIssue({ code: 'custom', path: ['$ref'], message });
    }
  })
  .meta({ description: 'A string or any JSON; {"$ref": "upl_…"} is an upload' });

function isRef(input: unknown): input is { $ref: unknown } {
  return typeof input === 'object' && input !== null && Object.hasOwn(input, '$ref');
}

const jsonSchema = z
  .custom<JsonSchema>(
    (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value)),
    {
      error: 'A JSON Schema is an object, true or false.',
      abort: true,
    },
  )
  .superRefine((schema, context) => {
    const bytes = jsonBytes(schema);
    if (bytes > maxSchemaBytes) {
      context.addIssue({
        code: 'custom',
        message: `Received ${bytes} bytes of JSON Schema; at most ${maxSchemaBytes} are allowed.`,
      });
      return;
    }
    try {
      compileJsonSchema(schema);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: 'custom', message: `The JSON Schema does not compile: ${reason.slice(0, 300)}` });
    }
  })
  .meta({ description: 'JSON Schema 2020-12 (or draft-07 by $schema), at most 16 KiB' });

export const glob = line(1, 256).refine((pattern) => !pattern.startsWith('/') && !pattern.split('/').includes('..'), {
  error: (issue) =>
    `Received ${JSON.stringify(issue.input)}; a pattern inside the workspace, without "..", is allowed.`,
});

/** What the caller wants back: text as it is, JSON (checked by a schema), or files of the workspace. */
export const outputSpec = z
  .strictObject({
    type: z.enum(['text', 'json', 'files']).default('text'),
    schema: jsonSchema.optional(),
    files: z.array(glob).min(1).max(20).optional(),
  })
  .superRefine((output, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (output.schema !== undefined && output.type !== 'json') refuse('schema', 'A schema goes with type "json" only.');
    if (output.files !== undefined && output.type !== 'files') refuse('files', 'Patterns go with type "files" only.');
    if (output.files === undefined && output.type === 'files')
      refuse('files', 'Type "files" needs at least one pattern.');
  })
  .meta({ id: 'OutputSpec' });

export type OutputSpec = z.output<typeof outputSpec>;

const onBusy = z
  .enum(['enqueue', 'reject', 'interrupt', 'rollback'])
  .superRefine((value, context) => {
    if (value === 'enqueue' || value === 'reject') return;
    refuseUnbuilt(context, `Received "${value}", which is not supported yet; enqueue and reject are allowed.`);
  })
  .default('enqueue')
  .meta({ description: 'What to do if the agent has unfinished tasks; interrupt and rollback are not supported yet' });

export const createTaskBody = z
  .strictObject({
    input: taskInput,
    output: outputSpec.prefault({}),
    priority: integer(-600, 600).default(0).describe('Seconds of head start in the queue'),
    notBefore: timeInput.optional(),
    expiresInSeconds: integer(1, 31_536_000).optional().describe('Expires if it has not started by then'),
    timeoutSeconds: integer(1, 604_800).optional(),
    maxAttempts: integer(1, 100).optional(),
    budget: budget.optional().describe('Of all attempts together, field by field over that of the template'),
    sessionId: notBuilt('sessionId'),
    onBusy,
    metadata: metadata.default({}),
  })
  .meta({ id: 'CreateTask' });

export const cancelTaskBody = z
  .strictObject({ force: z.boolean().default(false).describe('Kill it without grace') })
  .meta({ id: 'CancelTask' });

export type CreateTaskBody = z.output<typeof createTaskBody>;

export const usage = z
  .object({
    wallSeconds: z.number(),
    vcpuSeconds: z.number(),
    memoryGiBSeconds: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    reportedCostUsd: z.number().describe('What its program said that it spent, of costUsd'),
    costUsd: z.number(),
  })
  .meta({ id: 'Usage' });

/** What started it. */
export const parent = z
  .union([
    z.object({ runId: id('run'), step: z.string(), item: z.int().optional().describe('Index in a forEach step') }),
    z.object({ schedule: z.string(), scheduledTime: timestamp }),
  ])
  .meta({ id: 'Parent', description: 'What started it: a step of a run, or one occurrence of a schedule' });

export type ParentView = z.output<typeof parent>;

const taskShape = {
  id: id('task'),
  agentId: id('agent'),
  status: taskStatus,
  statusReason: z.string().nullable().describe('Why it is in this status, in a few words; null when it is over'),
  statusSince: timestamp,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  attempt: z.int().describe('Rises with every claim; 0 before the first'),
  failures: z.int().describe('Attempts that the task itself is to blame for; only these count towards maxAttempts'),
  maxAttempts: z.int(),
  priority: z.int(),
  progress: z.unknown(),
  usage: usage.nullable(),
  metadata: z.record(z.string(), z.unknown()),
  retryOf: id('task').nullable(),
  parent: parent.nullable(),
  message: taskMessage.nullable().describe('The message as which it came'),
  notBefore: timestamp.nullable(),
  expiresAt: timestamp.nullable(),
  timeoutSeconds: z.int(),
  budget,
  generation: z.int().nullable().describe('The newest saved generation of the workspace when it finished'),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  finishedAt: timestamp.nullable(),
};

/** A task as lists show it: without input and output. */
export const taskSummary = z.object(taskShape).meta({ id: 'TaskSummary' });

export const task = z
  .object({
    ...taskShape,
    input: z.unknown().describe('null if it is large: see inputUrl'),
    inputUrl: z.string().optional(),
    output: z.unknown().describe('null until it succeeds, or if it is large: see outputUrl'),
    outputUrl: z.string().optional(),
  })
  .meta({ id: 'Task' });

export type TaskSummary = z.output<typeof taskSummary>;
export type Task = z.output<typeof task>;
export type Usage = z.output<typeof usage>;

/** `status` may repeat: any of them. */
export const listTasksQuery = z.strictObject({ status: repeated(taskStatus), ...pageQuery });

export const getTaskQuery = z.strictObject({ waitSeconds });
