import * as z from 'zod';

/**
 * The environment of the functions: one schema, which `parseConfig` checks at cold start and which types the CDK app,
 * so that a variable that is missing there does not compile. What each variable means is in `docs/architecture.md`.
 */

const name = (wanted: string) => z.string().min(1, `wanted ${wanted}`);

const arn = (wanted: string) => z.string().regex(/^arn:[\w-]+:[\w-]+:[^:]*:[^:]*:.+$/, `wanted ${wanted}`);

const list = (wanted: string, item = z.string()) =>
  z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(z.array(item, `wanted ${wanted}`));

const nonEmptyList = (wanted: string) =>
  list(wanted).refine((items) => items.length > 0, `wanted ${wanted}, at least one`);

const queueUrl = (queue: string) => z.url({ protocol: /^https?$/, error: `wanted the URL of the queue ${queue}` });

const origin = z
  .url({ protocol: /^https?$/, error: 'wanted the origin of the HTTP API, like https://abc.example.com' })
  .refine((value) => URL.parse(value)?.origin === value, 'wanted a bare origin: no path, no slash at the end');

const parameter = (wanted: string) => z.string().regex(/^\/[\w.-]+(\/[\w.-]+)*$/, `wanted ${wanted}`);

const days = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, 'wanted a number of days from 1 to 9999')
  .transform(Number);

/** A limit of each tenant. */
const limit = (what: string) =>
  z
    .string()
    .regex(/^([1-9]\d{0,6})?$/, `wanted a number of ${what} from 1 to 9999999, or nothing for no limit`)
    .transform((value) => (value === '' ? undefined : Number(value)));

const variables = {
  ROUSE_STACK: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/, 'wanted 1 to 32 lower-case letters, digits and hyphens, a letter first'),
  ROUSE_STATE_TABLE: name('the name of the state table'),
  ROUSE_LOG_TABLE: name('the name of the log table'),
  ROUSE_BUCKET: name('the name of the bucket'),
  ROUSE_WORK_QUEUE_URL: queueUrl('work.fifo'),
  ROUSE_LAUNCHES_QUEUE_URL: queueUrl('launches.fifo'),
  ROUSE_TIMERS_QUEUE_URL: queueUrl('timers'),
  ROUSE_SCHEDULE_GROUP: name("the name of the group of users' schedules"),
  ROUSE_SCHEDULE_ROLE_ARN: arn('the ARN of the role that schedules send with'),
  ROUSE_TRIGGERS_QUEUE_ARN: arn('the ARN of the queue triggers'),
  ROUSE_DEAD_LETTERS_QUEUE_ARN: arn('the ARN of the queue dead-letters'),
  ROUSE_DEAD_LETTER_QUEUE_URLS: nonEmptyList('comma-separated URLs of the dead-letter queues'),
  ROUSE_EVENT_BUS: name('the name of the event bus'),
  ROUSE_BUS_EVENT_TYPES: list(
    'comma-separated event types like task.succeeded, or nothing',
    z.string().regex(/^[a-z]+\.[a-z_]+$/, 'wanted comma-separated event types like task.succeeded, or nothing'),
  ),
  ROUSE_CLUSTER: arn('the ARN of the ECS cluster'),
  ROUSE_SUBNETS: nonEmptyList('comma-separated ids of subnets'),
  ROUSE_SECURITY_GROUPS: nonEmptyList('comma-separated ids of security groups'),
  ROUSE_ASSIGN_PUBLIC_IP: z.enum(['ENABLED', 'DISABLED'], 'wanted ENABLED or DISABLED'),
  ROUSE_AGENT_IMAGE: name('the URI of the built-in agent image'),
  ROUSE_AGENT_LOG_GROUP: name("the name of the containers' log group"),
  ROUSE_EXECUTION_ROLE_ARN: arn('the ARN of the execution role'),
  ROUSE_TASK_ROLE_ARN: arn('the ARN of the default task role'),
  ROUSE_AGENT_CREDENTIALS_ROLE_ARN: arn('the ARN of the agent credentials role'),
  ROUSE_ALLOWED_TASK_ROLE_ARNS: list('comma-separated ARNs, or nothing', arn('comma-separated ARNs, or nothing')),
  ROUSE_ALLOWED_SECRET_ARNS: list('comma-separated ARNs, or nothing', arn('comma-separated ARNs, or nothing')),
  ROUSE_API_URL: origin,
  ROUSE_ADMIN_KEY_PARAMETER: parameter('the name of an SSM parameter like /rouse/admin-key'),
  ROUSE_TOKEN_KEY_PARAMETER: parameter('the name of an SSM parameter like /rouse/token-key'),
  ROUSE_LOG_RETENTION_DAYS: days,
  ROUSE_KMS_KEY_ARN: z
    .union([z.literal(''), arn('the ARN of a KMS key, or nothing')], 'wanted the ARN of a KMS key, or nothing')
    .transform((value) => (value === '' ? undefined : value)),
  ROUSE_MAX_AGENTS: limit('agents'),
  ROUSE_MAX_RUNTIMES: limit('runtimes'),
  ROUSE_LAUNCHES_PER_SECOND: z
    .string()
    .regex(/^([1-9]|1\d|20)$/, 'wanted a number of launches a second from 1 to 20')
    .transform(Number),
  ROUSE_EVICT_IDLE: z.enum(['true', 'false'], 'wanted true or false').transform((value) => value === 'true'),
};

type Variable = keyof typeof variables;

/** What a function gets from its deployment: every variable, as text. */
export type Environment = Record<Variable, string>;

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<S>;

type Property<V extends Variable> = V extends `ROUSE_${infer Rest}` ? CamelCase<Rest> : never;

/** `ROUSE_STATE_TABLE` becomes `stateTable`, and so on; comma-separated lists are arrays, days are a number. */
export type Config = { readonly [V in Variable as Property<V>]: z.output<(typeof variables)[V]> };

const propertyOf = (variable: string): string =>
  variable
    .replace(/^ROUSE_/, '')
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The environment does not describe a deployment. `problems` has one sentence a variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The environment of this function is incomplete or wrong:\n${problems.map((p) => `  ${p}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Reads the environment of a function.
 *
 * @throws ConfigError that names every variable that is wrong, what it was and what is wanted.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const entries = Object.entries(variables).map(([variable, schema]) => {
    const value = env[variable];
    const result = schema.safeParse(value ?? '');
    if (!result.success) {
      const received = value === undefined ? 'is not set' : `is ${JSON.stringify(value)}`;
      problems.push(`${variable} ${received}: ${result.error.issues[0]?.message}.`);
    } else if (value === undefined) {
      problems.push(`${variable} is not set: wanted a value, which may be empty.`);
    }
    return [propertyOf(variable), result.data] as const;
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.fromEntries(entries) as unknown as Config;
}
