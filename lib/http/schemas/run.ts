import * as z from 'zod';
import { runStatuses } from '../../domain/run.ts';
import { line, timestamp } from './field.ts';
import { id, templateName } from './id.ts';
import { pageQuery, repeated, waitSeconds } from './page.ts';
import { parent } from './task.ts';

export const runStatus = z.enum(runStatuses);

const error = z.object({ code: z.string(), message: z.string(), step: z.string().optional() });

export const stepStatuses = ['pending', 'running', 'waiting', 'succeeded', 'failed', 'skipped', 'cancelled'] as const;

const runStep = z
  .object({
    status: z.enum(stepStatuses),
    statusReason: z.string().nullable(),
    taskIds: z.array(z.string()).describe('Of a forEach step those of its first 100 items'),
    runIds: z.array(z.string()).describe('Sub-runs; of a forEach step those of its first 100 items'),
    agentId: id('agent').nullable(),
    items: z
      .object({ total: z.int(), started: z.int(), succeeded: z.int(), failed: z.int() })
      .nullable()
      .describe('Of a forEach step'),
    prompt: z.string().nullable().describe('What an approval asks'),
    waitsUntil: timestamp.nullable(),
    output: z.unknown().describe('null until it succeeds, or if it is large: see outputUrl'),
    outputUrl: z.string().optional(),
    error: error.nullable(),
    startedAt: timestamp.nullable(),
    finishedAt: timestamp.nullable(),
    copiedFrom: id('run').nullable().describe('The run that a rerun took it from'),
  })
  .meta({ id: 'RunStep' });

const runShape = {
  id: id('run'),
  workflow: templateName,
  version: z.int(),
  status: runStatus,
  statusReason: z.string().nullable().describe('What it runs, and what it waits for; null when it is over'),
  error: error.nullable(),
  parent: parent.nullable(),
  rerunOf: id('run').nullable(),
  createdAt: timestamp,
  finishedAt: timestamp.nullable(),
  deadlineAt: timestamp,
};

/** A run as lists show it: without its input, output and steps. */
export const runSummary = z.object(runShape).meta({ id: 'RunSummary' });

export const run = z
  .object({
    ...runShape,
    input: z.unknown().describe('null if it is large: see inputUrl'),
    inputUrl: z.string().optional(),
    output: z.unknown().describe('null until it succeeds, or if it is large: see outputUrl'),
    outputUrl: z.string().optional(),
    steps: z.record(z.string(), runStep),
  })
  .meta({ id: 'Run' });

export type RunSummary = z.output<typeof runSummary>;
export type RunView = z.output<typeof run>;
export type RunStepView = z.output<typeof runStep>;

export const startRunBody = z
  .strictObject({ input: z.unknown().optional().describe('Any JSON; null unless given') })
  .meta({ id: 'StartRun' });
export const rerunBody = z.strictObject({ fromStep: z.string().max(63).optional() }).meta({ id: 'Rerun' });
export const answerBody = z
  .strictObject({ comment: line(0, 4096).optional(), output: z.unknown().optional() })
  .meta({ id: 'ApprovalAnswer' });
export const signalBody = z.strictObject({ name: line(1, 128), body: z.unknown().optional() }).meta({ id: 'Signal' });

/** `workflow` and `status` may repeat: any of them. */
export const listRunsQuery = z.strictObject({
  workflow: repeated(templateName),
  status: repeated(runStatus),
  ...pageQuery,
});
export const getRunQuery = z.strictObject({ waitSeconds });
