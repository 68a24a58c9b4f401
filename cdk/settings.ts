import * as z from 'zod';
import { functionNames } from './constructs/functions.ts';
import { kebabCase, type RouseStackProps } from './rouse-stack.ts';

/** CloudWatch Logs keeps logs for one of these numbers of days (the API's `PutRetentionPolicy`). */
const retentionDays = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/** A bell is named `<prefix>-bell-<runtime id>`, and a queue's name has 80 characters at most. */
const longestPrefix = 80 - '-bell-rt_'.length - 26;

const list = z
  .union([z.string(), z.array(z.string())], 'wanted a comma-separated list')
  .transform((value) => (typeof value === 'string' ? value.split(',') : value).map((item) => item.trim()))
  .transform((items) => items.filter((item) => item !== ''));

const listOf = (pattern: RegExp, wanted: string) =>
  list.refine((items) => items.every((item) => pattern.test(item)), `wanted ${wanted}, separated by commas`);

const flag = z
  .union([z.boolean(), z.enum(['true', 'false'])], 'wanted true or false')
  .transform((value) => value === true || value === 'true');

const count = (most: number) =>
  z.coerce
    .number(`wanted a number from 1 to ${most}`)
    .refine((n) => Number.isInteger(n) && n >= 1 && n <= most, `wanted a whole number from 1 to ${most}`);

const concurrency = list
  .transform((items) => items.map((item) => item.split('=')))
  .refine(
    (pairs) =>
      pairs.every(
        ([name, n, ...rest]) =>
          functionNames.some((known) => known === name) && /^\d+$/.test(n ?? '') && rest.length === 0,
      ),
    `wanted function=number, separated by commas, where the function is one of ${functionNames.join(', ')}`,
  )
  .transform((pairs) => Object.fromEntries(pairs.map(([name, n]) => [name, Number(n)])));

/** Every context key of the app. */
const contextKeys = {
  /** Name of the CloudFormation stack; in kebab case it is the prefix of everything named at run time. @default Rouse */
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,31}$/, 'wanted 1 to 32 letters, digits and hyphens, a letter first')
    .refine(
      (name) => kebabCase(name).length <= longestPrefix,
      `wanted fewer capitals: in kebab case it may have ${longestPrefix} characters`,
    )
    .refine(
      (name) => !/^(aws|ssm|default$)/i.test(name),
      'wanted another one: AWS reserves parameters that begin with aws or ssm, and the event bus default',
    )
    .default('Rouse'),
  /** An existing VPC for the agents; needs `subnetIds` and `assignPublicIp`. @default a new VPC with public subnets */
  vpcId: z
    .string()
    .regex(/^vpc-[0-9a-z]+$/, 'wanted the id of a VPC, like vpc-0a1b2c')
    .optional(),
  /** Subnets of that VPC, separated by commas. */
  subnetIds: listOf(/^subnet-[0-9a-z]+$/, 'ids of subnets like subnet-0a1b2c').optional(),
  /** Whether agents get a public address: `true` in public subnets, `false` behind a NAT of your own. */
  assignPublicIp: flag.optional(),
  /** URI of an image to use as the built-in agent image, so that a deploy needs no Docker. @default built from agent/ */
  agentImage: z
    .string()
    .regex(/^[\w.-]+(:\d+)?\/?[\w./-]*[\w](:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/, 'wanted the URI of an image')
    .optional(),
  /**
   * What the agent image is built for: `arm64`, `x86_64`, or both. Both make one image index and need a Docker engine
   * with the containerd image store. @default arm64
   */
  agentArchitectures: listOf(/^(arm64|x86_64)$/, 'arm64 and x86_64')
    .refine((items) => items.length > 0, 'wanted arm64, x86_64, or both')
    .optional(),
  /** A KMS key of yours for what is stored, in the stack's region; see README for its policy. @default AWS's own keys */
  kmsKeyArn: z
    .string()
    .regex(
      /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/,
      'wanted the ARN of a KMS key, like arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab; the ARN of an alias will not do',
    )
    .optional(),
  /** What becomes of tables and bucket with the stack: `retain` or `destroy`. @default retain */
  removalPolicy: z.enum(['retain', 'destroy'], 'wanted retain or destroy').optional(),
  /** Days that logs, events and the lines of tasks are kept. @default 30 */
  logRetentionDays: z.coerce
    .number('wanted a number of days')
    .refine((n) => retentionDays.includes(n), `wanted one of ${retentionDays.join(', ')}`)
    .optional(),
  /** Event types that also go on the event bus, separated by commas ($1.00 a million). @default none */
  busEventTypes: listOf(/^[a-z]+\.[a-z_]+$/, 'event types like task.succeeded').optional(),
  /** Roles that templates may name besides those under the path /rouse-agent/. @default none */
  allowedTaskRoleArns: listOf(/^arn:[\w-]+:iam::\d{12}:role\/.+$/, 'ARNs of roles').optional(),
  /** Secrets and parameters that templates may name besides those under /rouse-agent/. @default none */
  allowedSecretArns: listOf(
    /^arn:[\w-]+:(secretsmanager:[\w-]+:\d{12}:secret:|ssm:[\w-]+:\d{12}:parameter\/).+$/,
    'ARNs of Secrets Manager secrets or SSM parameters',
  ).optional(),
  /** ECR repositories that templates may pull besides those named rouse-agent/…. @default none */
  allowedRepositoryArns: listOf(/^arn:[\w-]+:ecr:[\w-]+:\d{12}:repository\/.+$/, 'ARNs of ECR repositories').optional(),
  /** Agents that a tenant may have. @default no limit */
  maxAgents: count(9_999_999).optional(),
  /** Runtimes that a tenant may have at once, standbys included; launches beyond wait in order. @default no limit */
  maxRuntimes: count(9_999_999).optional(),
  /** Whether the longest idle agent is paused when a launch waits for room. @default false */
  evictIdle: flag.optional(),
  /** Launches of a tenant that begin in a second. @default 20, which is what Fargate sustains */
  launchesPerSecond: count(20).optional(),
  /** Concurrency reserved for functions, like `runtime=20,wait=50`. @default none: a new account has ten in all */
  reservedConcurrency: concurrency.optional(),
  /** SNS topic that the alarm notifies. @default none: the alarm is seen in the console */
  alarmTopicArn: z
    .string()
    .regex(/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+$/, 'wanted the ARN of an SNS topic')
    .optional(),
};

export type Settings = RouseStackProps & { readonly stackName: string };

/**
 * Reads the context.
 *
 * @throws Error that names every key that is wrong, the value given and what is wanted.
 */
export function readSettings(context: (key: string) => unknown): Settings {
  const given = Object.fromEntries(Object.keys(contextKeys).map((key) => [key, context(key) ?? undefined]));
  const result = z.object(contextKeys).safeParse(given);
  const problems = result.success
    ? []
    : result.error.issues.map(({ path, message }) => {
        const key = String(path[0]);
        return `${key} is ${JSON.stringify(given[key])}: ${message}.`;
      });
  if (!result.success) throw new Error(`The context of the CDK app is wrong:\n  ${problems.join('\n  ')}`);

  const { vpcId, subnetIds, assignPublicIp, agentArchitectures, ...rest } = result.data;
  return {
    ...rest,
    ...(agentArchitectures && { agentArchitectures: agentArchitectures as ('arm64' | 'x86_64')[] }),
    ...existingNetwork({ vpcId, subnetIds, assignPublicIp }),
  };
}

function existingNetwork(given: { vpcId?: string; subnetIds?: string[]; assignPublicIp?: boolean }) {
  const { vpcId, subnetIds, assignPublicIp } = given;
  if (vpcId === undefined && subnetIds === undefined && assignPublicIp === undefined) return {};
  if (vpcId === undefined || !subnetIds?.length || assignPublicIp === undefined) {
    throw new Error(
      `An existing VPC needs vpcId, subnetIds and assignPublicIp together, but the context has ${JSON.stringify(given)}. ` +
        'Give all three, or none for a new VPC.',
    );
  }
  return { existingNetwork: { vpcId, subnetIds, assignPublicIp } };
}
