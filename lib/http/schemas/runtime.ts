import * as z from 'zod';
import { budget } from './budget.ts';
import { driver } from './driver.ts';
import { jsonBytes, line, rule, timestamp } from './field.ts';
import { id } from './id.ts';
import { logStream } from './log.ts';
import { outputSpec, taskStatus } from './task.ts';
import { taskMessage } from './task-message.ts';

/** Bodies and answers of the runtime protocol, which the shim speaks (docs/architecture.md). */

const tenant = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, rule('the name of a tenant is allowed'));
export const fence = z.int().min(1);
export const place = z
  .string()
  .regex(/^-?\d{1,16}$/, rule('a place as claim gave it is allowed'))
  .describe('Where the task stands in the queue; given back as it came');
const slots = z.int().min(0).max(100).describe('How many more tasks the runtime takes');
const key = line(1, 1024);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, rule('64 lower-case hexadecimal digits are allowed'));
const bytes = z.int().min(0);
const nonce = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, { error: 'The nonce is not the base64 of 32 bytes.' });
const progress = z.unknown().refine((value) => jsonBytes(value) <= 4096, 'At most 4096 bytes of JSON are allowed.');

/** What may be sent on to STS as it is. */
const headerName = z.string().regex(/^[A-Za-z0-9-]{1,128}$/, rule('the name of a header is allowed'));
const headerValue = z
  .string()
  .regex(/^[\x20-\x7e]{0,8192}$/, rule('up to 8192 printable ASCII characters are allowed'));

export const enrollBody = z
  .strictObject({
    runtimeId: id('runtime'),
    agentId: id('agent').optional().describe('Left out by a standby, which does not know whose it is'),
    tenant,
    nonce,
    identity: z.strictObject({
      url: z.string().max(2048),
      headers: z.record(headerName, headerValue),
      body: z.literal('Action=GetCallerIdentity&Version=2011-06-15'),
    }),
  })
  .meta({ id: 'EnrollRequest' });

const awsCredentials = z
  .object({ accessKeyId: z.string(), secretAccessKey: z.string(), sessionToken: z.string(), expiration: timestamp })
  .meta({ id: 'AwsCredentials' });

export const runtimeConfig = z
  .object({
    driver,
    env: z.record(z.string(), z.string()),
    user: z.string(),
    concurrency: z.int(),
    idleTimeoutSeconds: z.number(),
    maxLifetimeSeconds: z.number(),
    stopTimeoutSeconds: z.number(),
    cancelGraceSeconds: z.number(),
    heartbeatSeconds: z.number(),
    workspace: z.object({ enabled: z.boolean(), save: z.enum(['task', 'stop']), minSaveIntervalSeconds: z.number() }),
  })
  .meta({ id: 'RuntimeConfig' });

const workspacePointer = z.object({
  generation: z.int(),
  manifestKey: z.string(),
  manifestSha256: z.string(),
  lastGeneration: z.int().describe('The next save has a number above it'),
});

export const enrollAnswer = z
  .object({
    token: z.string(),
    tokenExpiresAt: timestamp,
    tenant: z.string(),
    agent: z.object({ id: id('agent'), name: z.string() }),
    runtime: z.object({ id: id('runtime'), startedAt: timestamp }),
    config: runtimeConfig,
    credentials: awsCredentials,
    bell: z.object({ queueUrl: z.string() }),
    storage: z.object({ bucket: z.string(), readPrefix: z.string(), writePrefix: z.string() }),
    workspace: workspacePointer.nullable(),
    maxInlineBytes: z.int(),
  })
  .meta({ id: 'EnrollAnswer' });

/** What a standby gets until an agent has taken it over: a token and credentials for nothing but to wait. */
export const standbyAnswer = z
  .object({
    standby: z.literal(true),
    token: z.string(),
    tokenExpiresAt: timestamp,
    runtime: z.object({ id: id('runtime') }),
    credentials: awsCredentials,
    bell: z.object({ queueUrl: z.string() }),
  })
  .meta({ id: 'StandbyAnswer' });

export const askStandbyAnswer = z
  .object({ taken: z.boolean().describe('An agent has taken it over: enrol again') })
  .meta({ id: 'AskStandbyAnswer' });

const fenced = z.strictObject({ taskId: id('task'), fence });

export const claimBody = z.strictObject({ slots, running: z.array(fenced).max(100) }).meta({ id: 'ClaimRequest' });

const budgetState = z.object({
  limits: budget,
  used: z.object({ tokens: z.number(), costUsd: z.number() }).describe('By attempts that have ended'),
});

export const claimedTask = z
  .object({
    id: id('task'),
    fence: z.int(),
    place: z.string(),
    input: z.unknown().optional(),
    inputUrl: z.string().optional().describe('Where a large input is; then there is no input'),
    output: outputSpec,
    timeoutSeconds: z.number(),
    leaseSeconds: z.number(),
    usdPerSecond: z.number().describe('What a second of the attempt costs'),
    budget: budgetState.optional().describe('What all its attempts may use before it has to end'),
    metadata: z.record(z.string(), z.unknown()),
    message: taskMessage.nullable().describe('The message as which it came'),
    exports: z.array(z.string()).optional().describe('Patterns of the files to upload before it completes'),
    imports: z
      .array(z.object({ step: z.string(), url: z.string(), folder: z.string().nullable() }))
      .optional()
      .describe('Packs of files to bring into the workspace before it runs'),
    lastError: z.object({ code: z.string(), message: z.string() }).nullable().describe('Of the attempt before'),
  })
  .meta({ id: 'ClaimedTask' });

export const instructions = z
  .object({
    tasks: z.array(claimedTask),
    cancel: z.array(z.object({ taskId: id('task'), fence: z.int(), force: z.boolean().describe('Without grace') })),
    stop: z.object({ reason: z.string(), force: z.boolean() }).nullable(),
    nextDueAt: timestamp.nullable(),
    activeUntil: timestamp.nullable(),
    budget: budgetState.optional().describe('What the agent may use before its tasks have to end'),
  })
  .meta({ id: 'Instructions' });

/** Sums of these are still far from where numbers lose their digits. */
const amount = z.number().min(0).max(1e12);
export const runtimeUsage = z.strictObject({
  wallSeconds: amount,
  vcpuSeconds: amount,
  memoryGiBSeconds: amount,
  inputTokens: amount,
  outputTokens: amount,
  reportedCostUsd: z.number().min(0).max(1e9).optional(),
});

export const heartbeatBody = z
  .strictObject({ fence, place, progress: progress.optional(), usage: runtimeUsage.optional() })
  .meta({ id: 'HeartbeatRequest' });

export const heartbeatAnswer = z
  .object({ cancel: z.boolean(), force: z.boolean().describe('Without grace'), leaseUntil: timestamp })
  .meta({ id: 'HeartbeatAnswer' });

/** The shim cuts lines at 8 KiB of UTF-8; never more characters than that. */
const outputLine = z.strictObject({ time: timestamp, stream: logStream, line: z.string().max(8192) });

const lines = z
  .array(outputLine)
  .max(500)
  .refine((given) => jsonBytes(given) <= 256 * 1024 * 2, { error: 'More than 256 KiB of lines; send fewer at once.' });

export const taskEventsBody = z
  .strictObject({ fence, place, lines, progress: progress.optional() })
  .meta({ id: 'TaskEventsRequest' });

export const taskEventsAnswer = z.object({ accepted: z.int() }).meta({ id: 'TaskEventsAnswer' });

export const completeBody = z
  .strictObject({
    fence,
    place,
    output: z.unknown().optional(),
    outputRef: z.strictObject({ key, bytes }).optional(),
    exportsRef: z.strictObject({ key, bytes }).optional(),
    lines: lines.default([]),
    usage: runtimeUsage,
    slots,
  })
  .refine((body) => body.output === undefined || body.outputRef === undefined, {
    path: ['outputRef'],
    error: 'Give output or outputRef, not both.',
  })
  .refine((body) => body.output !== undefined || body.outputRef !== undefined, {
    path: ['output'],
    error: 'This field is required (any JSON), unless outputRef is given.',
  })
  .meta({ id: 'CompleteRequest' });

export const finishAnswer = z.object({ status: taskStatus, instructions }).meta({ id: 'FinishAnswer' });

const failureCode = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, rule('a code like exit_1, timed_out, cancelled or driver_failed is allowed'));

export const failBody = z
  .strictObject({
    fence,
    place,
    code: failureCode,
    message: z.string().max(16_384),
    retryAfterSeconds: z.number().min(0).max(86_400).optional(),
    lines: lines.default([]),
    usage: runtimeUsage,
    slots,
  })
  .meta({ id: 'FailRequest' });

export const releaseBody = z
  .strictObject({ fence, place, reason: line(1, 1024), usage: runtimeUsage.optional(), slots })
  .meta({ id: 'ReleaseRequest' });

export const outputBody = z
  .strictObject({ fence, place, bytes, what: z.enum(['output', 'exports']).default('output') })
  .meta({ id: 'OutputRequest' });
export const outputAnswer = z.object({ key: z.string(), url: z.string() }).meta({ id: 'OutputAnswer' });

export const workspaceBody = z
  .strictObject({
    generation: z.int().min(1),
    parent: z.int().min(1).nullable(),
    manifestKey: key,
    manifestSha256: sha256,
    bytes,
    files: z.int().min(0),
  })
  .meta({ id: 'WorkspaceRequest' });

export const workspaceAnswer = z.object({ generation: z.int() }).meta({ id: 'WorkspaceAnswer' });

export const damageBody = z
  .strictObject({
    generation: z.int().min(1),
    missing: z.boolean().describe('Something of it is not there; otherwise it is there, and not as it was saved'),
    detail: z.string().max(4096),
  })
  .meta({ id: 'DamageRequest' });

export const damageAnswer = z
  .object({ workspace: workspacePointer.nullable().describe('What to restore instead; null if nothing is good') })
  .meta({ id: 'DamageAnswer' });

export const credentialsBody = z.strictObject({ nonce }).meta({ id: 'CredentialsRequest' });
export const credentialsAnswer = z
  .object({ token: z.string(), tokenExpiresAt: timestamp, credentials: awsCredentials })
  .meta({ id: 'CredentialsAnswer' });

export const activityBody = z.strictObject({ seconds: z.number().min(0).max(86_400) }).meta({ id: 'ActivityRequest' });
export const activityAnswer = z.object({ until: timestamp }).meta({ id: 'ActivityAnswer' });

export const stopReasons = ['idle', 'requested', 'lifetime', 'signal', 'workspace_failed'] as const;
export const stopBody = z
  .strictObject({ reason: z.enum(stopReasons), detail: z.string().max(4096).optional() })
  .meta({ id: 'StopRequest' });
export const stopAnswer = z.object({ stop: z.boolean(), instructions }).meta({ id: 'StopAnswer' });

export type EnrollRequest = z.input<typeof enrollBody>;
export type EnrollAnswer = z.output<typeof enrollAnswer>;
export type StandbyAnswer = z.output<typeof standbyAnswer>;
export type RuntimeConfig = z.output<typeof runtimeConfig>;
export type AwsCredentials = z.output<typeof awsCredentials>;
export type ClaimRequest = z.input<typeof claimBody>;
export type ClaimedTask = z.output<typeof claimedTask>;
export type Instructions = z.output<typeof instructions>;
export type HeartbeatRequest = z.input<typeof heartbeatBody>;
export type HeartbeatAnswer = z.output<typeof heartbeatAnswer>;
export type OutputLine = z.input<typeof outputLine>;
export type TaskEventsRequest = z.input<typeof taskEventsBody>;
export type TaskEventsAnswer = z.output<typeof taskEventsAnswer>;
export type RuntimeUsage = z.output<typeof runtimeUsage>;
export type CompleteRequest = z.input<typeof completeBody>;
export type FailRequest = z.input<typeof failBody>;
export type ReleaseRequest = z.input<typeof releaseBody>;
export type FinishAnswer = z.output<typeof finishAnswer>;
export type OutputRequest = z.input<typeof outputBody>;
export type OutputAnswer = z.output<typeof outputAnswer>;
export type WorkspaceRequest = z.input<typeof workspaceBody>;
export type WorkspaceAnswer = z.output<typeof workspaceAnswer>;
export type DamageRequest = z.input<typeof damageBody>;
export type DamageAnswer = z.output<typeof damageAnswer>;
export type CredentialsRequest = z.input<typeof credentialsBody>;
export type CredentialsAnswer = z.output<typeof credentialsAnswer>;
export type ActivityRequest = z.input<typeof activityBody>;
export type ActivityAnswer = z.output<typeof activityAnswer>;
export type StopReason = (typeof stopReasons)[number];
export type StopRequest = z.input<typeof stopBody>;
export type StopAnswer = z.output<typeof stopAnswer>;
