import { describe, expect, test } from 'vitest';
import { parseOrThrow } from '../../../lib/http/issues.ts';
import { memorySizes, overrides, templateSpec } from '../../../lib/http/schemas/template.ts';
import { problemsOf } from './problems-of.ts';

const driver = { type: 'command', command: ['bash', '-c', 'wc -w'] };
const refused = (fields: object) => problemsOf(templateSpec, { driver, ...fields });

describe('a template', () => {
  test('needs nothing but a driver and gets every default', () => {
    expect(parseOrThrow(templateSpec, { driver })).toEqual({
      description: '',
      image: null,
      driver,
      cpu: 256,
      memoryMiB: 512,
      architecture: 'arm64',
      capacity: 'on-demand',
      env: {},
      secrets: {},
      taskRoleArn: null,
      user: 'agent',
      idleTimeoutSeconds: 300,
      maxLifetimeSeconds: 28_800,
      stopTimeoutSeconds: 120,
      cancelGraceSeconds: 10,
      concurrency: 1,
      task: {
        timeoutSeconds: 1800,
        maxAttempts: 3,
        heartbeatSeconds: 60,
        budget: {},
        retry: { initialSeconds: 1, coefficient: 2, maxSeconds: 100, nonRetryable: [] },
      },
      workspace: { enabled: true, keepGenerations: 5, save: 'task', minSaveIntervalSeconds: 30 },
      budget: {},
      warmPool: 0,
      labels: {},
    });
  });

  test('that was parsed parses to itself', () => {
    const spec = parseOrThrow(templateSpec, { driver, task: { retry: { initialSeconds: 5 } } });
    expect(parseOrThrow(templateSpec, spec)).toEqual(spec);
  });

  test('without a driver is refused', () => {
    expect(problemsOf(templateSpec, {})).toEqual({
      code: 'invalid',
      issues: ['driver: This field is required (an object).'],
    });
  });

  test('with a misspelt field hears the right one, also deep inside', () => {
    expect(refused({ memoryMib: 512, task: { retry: { intialSeconds: 1 } } }).issues).toEqual([
      'task.retry.intialSeconds: Unknown field; did you mean "initialSeconds"?',
      'memoryMib: Unknown field; did you mean "memoryMiB"?',
    ]);
  });

  test('that is no object is refused with what it is', () => {
    expect(problemsOf(templateSpec, [1]).issues).toEqual([': Received an array of 1; an object is allowed.']);
  });
});

describe('the size of a template', () => {
  test.each([
    [256, [512, 1024, 2048]],
    [512, [1024, 2048, 3072, 4096]],
  ] as const)('of cpu %i has the memory that Fargate offers', (cpu, sizes) => {
    expect(memorySizes(cpu)).toEqual(sizes);
  });

  test.each([
    [1024, 2048, 8192, 7],
    [2048, 4096, 16_384, 13],
    [4096, 8192, 30_720, 23],
    [8192, 16_384, 61_440, 12],
    [16_384, 32_768, 122_880, 12],
  ] as const)('of cpu %i goes from %i to %i in %i sizes', (cpu, from, to, count) => {
    const sizes = memorySizes(cpu);
    expect([sizes[0], sizes.at(-1), sizes.length]).toEqual([from, to, count]);
  });

  test('that Fargate does not offer is refused with those it does', () => {
    expect(refused({ cpu: 512, memoryMiB: 512 }).issues).toEqual([
      'memoryMiB: Received 512; with cpu 512 allowed are: 1024, 2048, 3072, 4096.',
    ]);
  });

  test('with many choices is told as a range', () => {
    expect(refused({ cpu: 4096, memoryMiB: 1 }).issues[0]).toContain('8192 to 30720 in steps of 1024');
  });

  test('of an unknown cpu is refused with the known ones', () => {
    expect(refused({ cpu: 300 }).issues).toEqual([
      'cpu: Received 300; allowed: 256, 512, 1024, 2048, 4096, 8192, 16384.',
    ]);
  });
});

describe('the driver', () => {
  test('of an unknown type is refused with the known ones', () => {
    expect(refused({ driver: { type: 'llm' } }).issues).toEqual([
      'driver.type: Received "llm"; allowed: command, module.',
    ]);
  });

  test('without a type hears the types', () => {
    expect(refused({ driver: {} }).issues).toEqual(['driver.type: This field is required; allowed: command, module.']);
  });

  test.each([[[]], [['']], [['a\0b']], [['bash', 5]], ['wc -w'], [['x'.repeat(40_000)]]])(
    'refuses the command %#',
    (command) => {
      expect(refused({ driver: { type: 'command', command } }).code).toBe('invalid');
    },
  );

  test('names the argument that is wrong', () => {
    expect(refused({ driver: { type: 'command', command: ['bash', 5] } }).issues).toEqual([
      'driver.command[1]: Received 5; a string is allowed.',
    ]);
  });

  test('module needs a path', () => {
    expect(refused({ driver: { type: 'module' } }).issues[0]).toContain('driver.path: This field is required');
  });
});

describe('the environment', () => {
  test.each(['1A', 'A-B', '', 'A B', 'ROUSE_TASK_ID', 'AWS_REGION', 'aws_region'])('refuses the name "%s"', (name) => {
    expect(refused({ env: { [name]: 'x' } }).code).toBe('invalid');
  });

  test('says that a reserved name is reserved', () => {
    expect(refused({ env: { ROUSE_X: '1' } }).issues).toEqual([
      'env.ROUSE_X: Received "ROUSE_X"; names that begin with ROUSE_ or AWS_ are reserved.',
    ]);
  });

  test('takes a value of 8 KiB and no more', () => {
    expect(refused({ env: { A: 'x'.repeat(8192) } }).issues).toEqual([]);
    expect(refused({ env: { A: 'x'.repeat(8193) } }).issues).toEqual([
      'env.A: Received 8193 bytes; at most 8192 are allowed.',
    ]);
  });

  test('takes 64 variables and no more', () => {
    const variables = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, '']));
    expect(refused({ env: variables(64) }).issues).toEqual([]);
    expect(refused({ env: variables(65) }).issues).toEqual(['env: Received 65 variables; at most 64 are allowed.']);
  });

  test('takes 32 KiB in total and no more', () => {
    const env = Object.fromEntries(['A', 'B', 'C', 'D', 'E'].map((name) => [name, 'x'.repeat(7000)]));
    expect(refused({ env }).issues[0]).toContain('at most 32768 are allowed');
  });

  test('takes ARNs of secrets and parameters', () => {
    const secrets = {
      A: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:/rouse-agent/github-AbCdEf',
      B: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:name-AbCdEf:token::',
      C: 'arn:aws:ssm:us-east-1:123456789012:parameter/rouse-agent/key',
    };
    expect(refused({ secrets }).issues).toEqual([]);
  });

  test.each(['hunter2', 'arn:aws:s3:::bucket', 'arn:aws:ssm:us-east-1:1:parameter/x'])(
    'refuses the secret "%s"',
    (secret) => {
      expect(refused({ secrets: { A: secret } }).issues[0]).toContain('ARN');
    },
  );

  test('refuses a name that is a variable and a secret', () => {
    const secrets = { A: 'arn:aws:ssm:us-east-1:123456789012:parameter/rouse-agent/a' };
    expect(refused({ env: { A: '1' }, secrets }).issues).toEqual(['secrets.A: "A" is in env too; keep one of them.']);
  });
});

describe('names of things in AWS', () => {
  test.each([
    'python',
    'python:3.13-slim',
    'public.ecr.aws/docker/library/python:3.13',
    '123456789012.dkr.ecr.eu-central-1.amazonaws.com/agents/reader:v1',
    'localhost:5000/a/b',
    `ghcr.io/o/i@sha256:${'a'.repeat(64)}`,
  ])('the image "%s" is taken', (image) => {
    expect(refused({ image }).issues).toEqual([]);
  });

  test.each(['', 'UPPER/case', 'a b', 'https://x/y', 'x:', '-x', 'x@sha256:12'])(
    'the image "%s" is refused',
    (image) => {
      expect(refused({ image }).code).toBe('invalid');
    },
  );

  test('a task role is the ARN of a role', () => {
    expect(refused({ taskRoleArn: 'arn:aws:iam::123456789012:role/rouse-agent/reader' }).issues).toEqual([]);
    expect(refused({ taskRoleArn: 'reader' }).code).toBe('invalid');
  });
});

describe('bounds', () => {
  test.each([
    [{ idleTimeoutSeconds: -1 }],
    [{ idleTimeoutSeconds: 1.5 }],
    [{ idleTimeoutSeconds: '300' }],
    [{ maxLifetimeSeconds: 59 }],
    [{ stopTimeoutSeconds: 121 }],
    [{ cancelGraceSeconds: 61 }],
    [{ concurrency: 0 }],
    [{ task: { timeoutSeconds: 0 } }],
    [{ task: { maxAttempts: 101 } }],
    [{ task: { heartbeatSeconds: 2 } }],
    [{ task: { budget: { costUsd: -1 } } }],
    [{ budget: { tokens: 1e13 } }],
    [{ task: { retry: { coefficient: 0.5 } } }],
    [{ task: { retry: { nonRetryable: ['Exit 1'] } } }],
    [{ workspace: { keepGenerations: 0 } }],
    [{ workspace: { save: 'never' } }],
    [{ user: 'root; rm' }],
    [{ description: 'two\nlines' }],
  ])('%j is refused', (fields) => {
    expect(refused(fields).code).toBe('invalid');
  });

  test('are told with what was received', () => {
    expect(refused({ stopTimeoutSeconds: 300 }).issues).toEqual([
      'stopTimeoutSeconds: Received 300; an integer from 2 to 120 is allowed.',
    ]);
  });

  test('of a retry policy fit each other', () => {
    expect(refused({ task: { retry: { initialSeconds: 10, maxSeconds: 5 } } }).issues).toEqual([
      'task.retry.maxSeconds: Received 5; at least initialSeconds (10) is allowed.',
    ]);
  });
});

describe('labels', () => {
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, '']));

  test.each([
    [{ 'a:b': 'x' }],
    [{ '': 'x' }],
    [{ ['k'.repeat(64)]: 'x' }],
    [{ k: 'v'.repeat(256) }],
    [{ k: 1 }],
    [many],
  ])('set %# is refused', (labels) => {
    expect(refused({ labels }).code).toBe('invalid');
  });

  test('may be empty and may have paths as keys', () => {
    expect(refused({ labels: { 'team/owner': '' } }).issues).toEqual([]);
  });
});

describe('a warm pool', () => {
  test('has up to a hundred standbys', () => {
    expect(refused({ warmPool: 100 }).issues).toEqual([]);
    expect(refused({ warmPool: 101 }).issues).toEqual(['warmPool: Received 101; an integer from 0 to 100 is allowed.']);
  });
});

describe('overrides', () => {
  test('hold only what was given', () => {
    expect(parseOrThrow(overrides, { task: { timeoutSeconds: 5, retry: { coefficient: 1 } }, workspace: {} })).toEqual({
      task: { timeoutSeconds: 5, retry: { coefficient: 1 } },
      workspace: {},
    });
  });

  test('cannot change the size, which belongs to the task definition', () => {
    expect(problemsOf(overrides, { cpu: 512 }).issues[0]).toContain('cpu: Unknown field');
  });
});
