import { describe, expect, it } from 'vitest';
import { ConfigError, type Environment, parseConfig } from '../../lib/config.ts';

const environment: Environment = {
  ROUSE_STACK: 'rouse',
  ROUSE_STATE_TABLE: 'Rouse-State',
  ROUSE_LOG_TABLE: 'Rouse-Log',
  ROUSE_BUCKET: 'rouse-bucket',
  ROUSE_WORK_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/work.fifo',
  ROUSE_LAUNCHES_QUEUE_URL: 'http://127.0.0.1:4566/000000000000/launches.fifo',
  ROUSE_TIMERS_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/111122223333/timers',
  ROUSE_SCHEDULE_GROUP: 'rouse-schedules',
  ROUSE_SCHEDULE_ROLE_ARN: 'arn:aws:iam::123456789012:role/schedules',
  ROUSE_TRIGGERS_QUEUE_ARN: 'arn:aws:sqs:us-east-1:123456789012:triggers',
  ROUSE_DEAD_LETTERS_QUEUE_ARN: 'arn:aws:sqs:us-east-1:123456789012:dead-letters',
  ROUSE_DEAD_LETTER_QUEUE_URLS: 'https://sqs.eu-west-1.amazonaws.com/1/a.fifo,https://sqs.eu-west-1.amazonaws.com/1/b',
  ROUSE_EVENT_BUS: 'rouse',
  ROUSE_BUS_EVENT_TYPES: '',
  ROUSE_CLUSTER: 'arn:aws:ecs:eu-west-1:111122223333:cluster/rouse',
  ROUSE_SUBNETS: 'subnet-1,subnet-2',
  ROUSE_SECURITY_GROUPS: 'sg-1',
  ROUSE_ASSIGN_PUBLIC_IP: 'ENABLED',
  ROUSE_AGENT_IMAGE: 'public.ecr.aws/example/agent:1',
  ROUSE_AGENT_LOG_GROUP: 'agents',
  ROUSE_EXECUTION_ROLE_ARN: 'arn:aws:iam::111122223333:role/execution',
  ROUSE_TASK_ROLE_ARN: 'arn:aws:iam::111122223333:role/task',
  ROUSE_AGENT_CREDENTIALS_ROLE_ARN: 'arn:aws:iam::111122223333:role/credentials',
  ROUSE_ALLOWED_TASK_ROLE_ARNS: '',
  ROUSE_ALLOWED_SECRET_ARNS: 'arn:aws:ssm:eu-west-1:111122223333:parameter/shared/*',
  ROUSE_API_URL: 'https://abc.execute-api.eu-west-1.amazonaws.com',
  ROUSE_ADMIN_KEY_PARAMETER: '/rouse/admin-key',
  ROUSE_TOKEN_KEY_PARAMETER: '/rouse/token-key',
  ROUSE_KMS_KEY_ARN: '',
  ROUSE_MAX_AGENTS: '',
  ROUSE_MAX_RUNTIMES: '50',
  ROUSE_LAUNCHES_PER_SECOND: '20',
  ROUSE_EVICT_IDLE: 'false',
  ROUSE_LOG_RETENTION_DAYS: '30',
};

const problemsOf = (env: Record<string, string | undefined>): readonly string[] => {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

describe('parseConfig', () => {
  it('names each property after its variable', () => {
    const config = parseConfig(environment);
    expect(config.stateTable).toBe('Rouse-State');
    expect(config.agentCredentialsRoleArn).toBe('arn:aws:iam::111122223333:role/credentials');
    expect(Object.keys(config)).toHaveLength(Object.keys(environment).length);
  });

  it('turns comma-separated lists into arrays and days into a number', () => {
    const config = parseConfig({ ...environment, ROUSE_BUS_EVENT_TYPES: 'task.succeeded, task.timed_out' });
    expect(config.subnets).toEqual(['subnet-1', 'subnet-2']);
    expect(config.busEventTypes).toEqual(['task.succeeded', 'task.timed_out']);
    expect(config.allowedTaskRoleArns).toEqual([]);
    expect(config).toMatchObject({ logRetentionDays: 30, maxAgents: undefined, maxRuntimes: 50, evictIdle: false });
  });

  it('ignores variables that are not its own', () => {
    expect(parseConfig({ ...environment, PATH: '/bin' })).toEqual(parseConfig(environment));
  });

  it('names every variable that is missing, in one error', () => {
    const problems = problemsOf({});
    expect(problems).toHaveLength(Object.keys(environment).length);
    for (const variable of Object.keys(environment)) {
      expect(problems.some((problem) => problem.startsWith(`${variable} is not set: wanted `))).toBe(true);
    }
  });

  it('takes an empty list for a value, but not a missing one', () => {
    expect(problemsOf({ ...environment, ROUSE_BUS_EVENT_TYPES: undefined })).toEqual([
      'ROUSE_BUS_EVENT_TYPES is not set: wanted a value, which may be empty.',
    ]);
  });

  it.each([
    ['ROUSE_STACK', 'Rouse Stack', 'wanted 1 to 32 lower-case letters, digits and hyphens, a letter first'],
    ['ROUSE_ASSIGN_PUBLIC_IP', 'yes', 'wanted ENABLED or DISABLED'],
    ['ROUSE_API_URL', 'https://abc.example.com/', 'wanted a bare origin: no path, no slash at the end'],
    ['ROUSE_API_URL', 'abc', 'wanted the origin of the HTTP API, like https://abc.example.com'],
    ['ROUSE_CLUSTER', 'rouse', 'wanted the ARN of the ECS cluster'],
    ['ROUSE_SUBNETS', ',', 'wanted comma-separated ids of subnets, at least one'],
    ['ROUSE_WORK_QUEUE_URL', 'work.fifo', 'wanted the URL of the queue work.fifo'],
    ['ROUSE_ALLOWED_TASK_ROLE_ARNS', 'admin', 'wanted comma-separated ARNs, or nothing'],
    ['ROUSE_BUS_EVENT_TYPES', 'everything', 'wanted comma-separated event types like task.succeeded, or nothing'],
    ['ROUSE_LOG_RETENTION_DAYS', '0', 'wanted a number of days from 1 to 9999'],
  ])('refuses %s=%s with what was received and what is wanted', (variable, value, wanted) => {
    expect(problemsOf({ ...environment, [variable]: value })).toEqual([`${variable} is "${value}": ${wanted}.`]);
  });
});
