import * as z from 'zod';
import { budget } from './budget.ts';
import { driver } from './driver.ts';
import { env, secrets } from './environment.ts';
import { integer, labels, line, number, rule, show, timestamp } from './field.ts';
import { templateName } from './id.ts';

/** Memory in MiB that Fargate offers for each size of CPU (1024 units are one vCPU): from, to, step. */
const fargateMemory = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
  16384: [32768, 122880, 8192],
} as const;

export type FargateCpu = keyof typeof fargateMemory;

/** The sizes of memory (MiB) that go with `cpu`, smallest first. */
export function memorySizes(cpu: FargateCpu): number[] {
  const [from, to, step] = fargateMemory[cpu];
  const sizes = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
  // a quarter vCPU comes with 0.5, 1 or 2 GB, not with 1.5
  return cpu === 256 ? sizes.filter((size) => size !== 1536) : sizes;
}

const cpuSizes = Object.keys(fargateMemory).map(Number) as [FargateCpu, ...FargateCpu[]];

const imageUri = z
  .string()
  .max(512)
  .regex(
    /^([a-z0-9.-]+(:\d{1,5})?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    rule('an image like public.ecr.aws/docker/library/python:3.13 is allowed'),
  );

const roleArn = z
  .string()
  .max(512)
  .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, rule('the ARN of an IAM role is allowed'));

const failureCode = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, rule('a code like exit_2 or output_invalid is allowed'));

const day = 86_400;

/** The fields of a retry policy, without defaults. */
const retryFields = {
  initialSeconds: number(0, 3600),
  coefficient: number(1, 10),
  maxSeconds: number(0, day),
  nonRetryable: z.array(failureCode).max(32),
};

const taskFields = {
  timeoutSeconds: integer(1, 7 * day),
  maxAttempts: integer(1, 100),
  heartbeatSeconds: integer(3, 3600),
  budget,
};

const workspaceFields = {
  enabled: z.boolean(),
  keepGenerations: integer(1, 100),
  save: z.enum(['task', 'stop']),
  minSaveIntervalSeconds: integer(0, 3600),
};

const runFields = {
  idleTimeoutSeconds: integer(0, day),
  maxLifetimeSeconds: integer(60, 14 * day),
  concurrency: integer(1, 100),
};

/** Wait before attempt n: `min(maxSeconds, initialSeconds × coefficient^(failures − 1))`. */
const retryPolicy = z
  .strictObject({
    initialSeconds: retryFields.initialSeconds.default(1),
    coefficient: retryFields.coefficient.default(2),
    maxSeconds: retryFields.maxSeconds.default(100),
    nonRetryable: retryFields.nonRetryable.default([]),
  })
  .superRefine((retry, context) => {
    if (retry.maxSeconds >= retry.initialSeconds) return;
    const message = `Received ${retry.maxSeconds}; at least initialSeconds (${retry.initialSeconds}) is allowed.`;
    context.addIssue({ code: 'custom', path: ['maxSeconds'], message });
  })
  .meta({ id: 'RetryPolicy' });

const taskPolicy = z
  .strictObject({
    timeoutSeconds: taskFields.timeoutSeconds.default(1800),
    maxAttempts: taskFields.maxAttempts.default(3),
    heartbeatSeconds: taskFields.heartbeatSeconds.default(60).describe('How long a runtime may be silent about a task'),
    budget: taskFields.budget.default({}).describe('Of one task in all its attempts'),
    retry: retryPolicy.prefault({}),
  })
  .meta({ id: 'TaskPolicy' });

const workspacePolicy = z
  .strictObject({
    enabled: workspaceFields.enabled.default(true),
    keepGenerations: workspaceFields.keepGenerations.default(5),
    save: workspaceFields.save.default('task'),
    minSaveIntervalSeconds: workspaceFields.minSaveIntervalSeconds.default(30),
  })
  .meta({ id: 'WorkspacePolicy' });

const user = z
  .string()
  .regex(/^([a-z_][a-z0-9_-]{0,31}|\d{1,5})$/, rule('a user name like agent or a numeric user id is allowed'));

const specShape = {
  description: line(0, 1000).default(''),
  image: imageUri.nullable().default(null).describe('null is the built-in image'),
  driver,
  cpu: z.literal(cpuSizes).default(256).describe('CPU units; 1024 are one vCPU'),
  memoryMiB: z.int().default(512).describe('One of the sizes that Fargate offers for this cpu'),
  architecture: z.enum(['arm64', 'x86_64']).default('arm64'),
  capacity: z.enum(['on-demand', 'spot']).default('on-demand'),
  env: env.default({}),
  secrets: secrets.default({}),
  taskRoleArn: roleArn.nullable().default(null),
  user: user.default('agent').describe('The user that the driver runs as'),
  idleTimeoutSeconds: runFields.idleTimeoutSeconds.default(300),
  maxLifetimeSeconds: runFields.maxLifetimeSeconds.default(28_800),
  stopTimeoutSeconds: integer(2, 120).default(120),
  cancelGraceSeconds: integer(0, 60).default(10),
  concurrency: runFields.concurrency.default(1),
  task: taskPolicy.prefault({}),
  workspace: workspacePolicy.prefault({}),
  budget: budget.default({}).describe('Of one agent in its whole life; then it is held'),
  warmPool: integer(0, 100).default(0).describe('Started runtimes that wait to be taken over by waking agents'),
  labels: labels.default({}),
};

/** What an agent is made from. Parsing fills in every default, so the output is a complete specification. */
export const templateSpec = z
  .strictObject(specShape)
  .superRefine((spec, context) => {
    const sizes = memorySizes(spec.cpu);
    if (!sizes.includes(spec.memoryMiB)) {
      const allowed = sizes.length <= 8 ? sizes.join(', ') : stepText(spec.cpu);
      const message = `Received ${spec.memoryMiB}; with cpu ${spec.cpu} allowed are: ${allowed}.`;
      context.addIssue({ code: 'custom', path: ['memoryMiB'], message });
    }
    for (const name of Object.keys(spec.secrets)) {
      if (!Object.hasOwn(spec.env, name)) continue;
      context.addIssue({
        code: 'custom',
        path: ['secrets', name],
        message: `${show(name)} is in env too; keep one of them.`,
      });
    }
  })
  .meta({ id: 'TemplateSpec' });

function stepText(cpu: FargateCpu): string {
  const [from, to, step] = fargateMemory[cpu];
  return `${from} to ${to} in steps of ${step}`;
}

export type TemplateSpec = z.output<typeof templateSpec>;
export type TemplateSpecInput = z.input<typeof templateSpec>;

/** How full the warm pool of a template is. */
const poolState = z
  .object({
    wanted: z.int(),
    ready: z.int().describe('Standbys that an agent can take over now'),
    starting: z.int().describe('Standbys that have been launched and are not up yet'),
    reason: z.string().nullable().describe('Why it is not full, as a sentence'),
  })
  .meta({ id: 'Pool' });

/** One version of a template. */
export const template = z
  .object({
    name: templateName,
    version: z.int().min(1),
    ...specShape,
    pool: poolState.optional().describe('Only where one template is read, and wants a warm pool'),
    createdAt: timestamp,
  })
  .meta({ id: 'Template' });

export type Template = z.output<typeof template>;

/** What a single agent may have different from its template; only what is given differs, field by field. */
export const overrides = z
  .strictObject({
    env,
    driver,
    ...runFields,
    task: z.strictObject({ ...taskFields, retry: z.strictObject(retryFields).partial() }).partial(),
    workspace: z.strictObject(workspaceFields).partial(),
    budget,
    labels,
  })
  .partial()
  .meta({ id: 'Overrides' });

export type Overrides = z.output<typeof overrides>;
