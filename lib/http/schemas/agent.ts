import * as z from 'zod';
import { budget } from './budget.ts';
import { labels, line, rule, timestamp } from './field.ts';
import { id, templateName } from './id.ts';
import { pageQuery, repeated } from './page.ts';
import { overrides } from './template.ts';

export const agentStatuses = ['paused', 'starting', 'running', 'stopping', 'archived', 'error', 'terminated'] as const;
export const agentStatus = z.enum(agentStatuses);
export type AgentStatus = z.infer<typeof agentStatus>;

const agentName = line(1, 120);
const templateVersion = z.int().min(1, rule('a version is 1 or higher'));

export const createAgentBody = z
  .strictObject({
    template: templateName,
    templateVersion: templateVersion.optional().describe('The newest one unless given'),
    name: agentName.optional(),
    overrides: overrides.optional(),
    labels: labels.default({}),
    start: z.boolean().default(false).describe('Start a runtime now, without waiting for a task'),
  })
  .meta({ id: 'CreateAgent' });

export type CreateAgentBody = z.output<typeof createAgentBody>;

/** Each field that is given replaces the whole field; it is in force from the next wake. */
export const patchAgentBody = z
  .strictObject({ name: agentName, labels, overrides, templateVersion })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, {
    error: 'Nothing to change; allowed are name, labels, overrides and templateVersion.',
  })
  .meta({ id: 'PatchAgent' });

export type PatchAgentBody = z.output<typeof patchAgentBody>;

export const pauseBody = z.strictObject({
  force: z.boolean().default(false).describe('Stop even if tasks run; they go back to the queue'),
  hold: z.boolean().default(false).describe('Do not wake for work until resumed'),
});

export const activityBody = z.strictObject({
  seconds: z.number().min(0).max(86_400).describe('From now on; a lease ends after an hour at the latest'),
});

export const forkBody = z.strictObject({
  name: agentName.optional(),
  generation: z.int().min(1).optional().describe('Which files it gets; the current ones unless given'),
});

export const rollbackBody = z.strictObject({
  generation: z.int().min(1).describe('One that GET …/generations shows, and that is not damaged'),
});

export const agent = z
  .object({
    id: id('agent'),
    name: z.string(),
    template: templateName,
    templateVersion: z.int(),
    labels: z.record(z.string(), z.string()),
    overrides,
    status: agentStatus,
    statusReason: z
      .string()
      .nullable()
      .describe('Why it is in this status, in a few words; null when it is terminated'),
    statusSince: timestamp,
    held: z.boolean(),
    budget: budget.describe('What it may use in its life, by its template and its overrides'),
    used: z
      .object({ tokens: z.number(), costUsd: z.number() })
      .describe('What ended attempts have used, counted while it has a budget'),
    runtime: z
      .object({
        id: id('runtime'),
        status: z.string(),
        startedAt: timestamp.nullable(),
        taskArn: z.string().nullable(),
      })
      .nullable(),
    tasks: z.object({ queued: z.int(), running: z.int() }),
    forkedFrom: z.object({ agentId: id('agent'), generation: z.int().nullable() }).nullable(),
    workspace: z.object({ generation: z.int(), bytes: z.int() }).nullable(),
    idleSince: timestamp.nullable(),
    activeUntil: timestamp.nullable().describe('Until when activity leases keep it from idling; it may have passed'),
    createdAt: timestamp,
    updatedAt: timestamp,
  })
  .meta({ id: 'Agent' });

export type Agent = z.output<typeof agent>;

const labelFilter = z
  .string()
  .max(320)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}:.*$/, rule('key:value is allowed'))
  .transform((text) => ({ key: text.slice(0, text.indexOf(':')), value: text.slice(text.indexOf(':') + 1) }));

/** `status`, `template` and `label` may repeat: any of the statuses and templates, all of the labels. */
export const listAgentsQuery = z.strictObject({
  status: repeated(agentStatus),
  template: repeated(templateName),
  label: repeated(labelFilter),
  ...pageQuery,
});
