import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Cloud } from './support/cloud.ts';
import { isAlive } from './support/processes.ts';
import { startCloud, startShim, temporaryFolder } from './support/shim.ts';

let cloud: Cloud;
beforeEach(async () => {
  cloud = await startCloud();
});

function run(script: string, ...args: string[]): void {
  cloud.config.driver = { type: 'command', command: ['bash', '-c', script, ...args] };
}

describe('a command that ends well', () => {
  test('gets a string as it is and answers with its stdout as it is', async () => {
    run('cat; echo " there"');
    cloud.submit('tsk_1', { input: 'hello' });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      fence: 1,
      place: '1700000000000',
      output: 'hello there\n',
      slots: 1,
    });
  });

  test('gets anything but a string as JSON', async () => {
    cloud.submit('tsk_1', { input: { n: [1, null] } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: '{"n":[1,null]}' });
  });

  test('gets a large input from its URL byte for byte', async () => {
    cloud.bucket.objects.set('uploads/one', Buffer.from([0xff, 0x00, 0x0a]));
    run('od -An -tx1 | tr -d " \\n"');
    cloud.submit('tsk_1', { input: undefined, inputUrl: `${cloud.url}/bucket/uploads/one` });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'ff000a' });
  });

  test('need not read its input', async () => {
    run('exec 0<&-; echo done');
    cloud.submit('tsk_1', { input: 'x'.repeat(1_000_000) });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'done\n' });
  });

  test('answers with parsed JSON where JSON was asked for', async () => {
    cloud.submit('tsk_1', { input: { a: 1 }, output: { type: 'json', schema: { type: 'object', required: ['a'] } } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: { a: 1 } });
  });

  test('answers with the files that match, and never with what links out of the workspace', async () => {
    run(
      'mkdir -p out && printf abc > out/ä.md && ln -s /etc/hostname out/b.md && ln -s /etc out/etc && echo x > c.txt',
    );
    cloud.submit('tsk_1', { output: { type: 'files', files: ['**/*.md', 'out/etc/hosts'] } });
    startShim(cloud);
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: { files: [{ path: 'out/ä.md', bytes: 3, sha256 }] },
    });
  });

  test('has a large output brought to S3', async () => {
    cloud.maxInlineBytes = 1000;
    run('head -c 5000 /dev/zero | tr "\\0" a');
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      outputRef: { key: 'tasks/output', bytes: 5000 },
    });
    expect(cloud.bucket.objects.get('tasks/output')?.toString()).toBe('a'.repeat(5000));
  });

  test('is charged for its part of the container', async () => {
    cloud.config.concurrency = 2;
    run('sleep 0.3');
    cloud.submit('tsk_1');
    startShim(cloud);
    const { usage } = (await cloud.called('tasks/tsk_1/complete')) as { usage: Record<string, number> };
    expect(usage.wallSeconds).toBeGreaterThan(0.29);
    expect(usage.vcpuSeconds).toBeCloseTo(usage.wallSeconds! * 0.25, 2);
    expect(usage.memoryGiBSeconds).toBeCloseTo(usage.wallSeconds! * 0.5, 2);
  });

  test('says what it has spent on a descriptor of its own', async () => {
    run('echo answer; echo \'{"input":5,"costUsd":0.01}\' >&$ROUSE_USAGE_FD; echo \'{"output":7}\' >&3');
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: 'answer\n',
      usage: { inputTokens: 5, outputTokens: 7, reportedCostUsd: 0.01 },
    });
  });

  test('is told in its log what is wrong with what it says of its spending', async () => {
    run('printf \'many\\n{"input":-1}\\n{"tokens":1}\\n{"input":3}\' >&3');
    cloud.submit('tsk_1');
    startShim(cloud);
    const { lines, usage } = (await cloud.called('tasks/tsk_1/complete')) as {
      lines: { stream: string; line: string }[];
      usage: object;
    };
    expect(lines.map(({ stream, line }) => `${stream}: ${line}`)).toEqual([
      'system: ROUSE_USAGE_FD was given "many"; an object like {"input": 1200, "output": 300, "costUsd": 0.01} is allowed.',
      'system: ROUSE_USAGE_FD input was given -1; a number from 0 to 1000000000 is allowed.',
      'system: ROUSE_USAGE_FD was given "tokens"; input, output, costUsd are allowed.',
    ]);
    expect(usage).toMatchObject({ inputTokens: 3 });
  });

  test('keeps its log, whatever nonsense it says of its spending', async () => {
    run('yes "{" 2>/dev/null | head -c 400000 >&3; echo important; echo \' {"output":7}\' >&3');
    cloud.submit('tsk_1');
    startShim(cloud);
    const { usage } = await cloud.called('tasks/tsk_1/complete');
    expect(usage).toMatchObject({ outputTokens: 7 });
    const lines = cloud.calls.flatMap(
      ({ body }) => (body as { lines?: { stream: string; line: string }[] }).lines ?? [],
    );
    expect(lines.filter(({ stream }) => stream === 'system')).toHaveLength(20);
    expect(lines.map(({ line }) => line)).toContain('important');
  });

  test('takes what it left running with it', async () => {
    run('sleep 1000 & echo $!');
    cloud.submit('tsk_1');
    startShim(cloud);
    const { output } = (await cloud.called('tasks/tsk_1/complete')) as { output: string };
    expect(isAlive(Number(output))).toBe(false);
  });
});

describe('a command that fails', () => {
  const failures: [string, string, object][] = [
    ['with its exit code and the last of stderr', 'echo no luck >&2; exit 7', { code: 'exit_7', message: 'no luck' }],
    [
      'with a sentence where stderr is empty',
      'exit 3',
      { code: 'exit_3', message: expect.stringContaining('exit code 3') },
    ],
    ['with 128 and the signal that killed it', 'kill -SEGV $$', { code: 'exit_139' }],
  ];
  test.each(failures)('fails the task %s', async (_title, script, expected) => {
    run(script);
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject(expected);
  });

  test('keeps only the last 2 KiB of stderr', async () => {
    run('head -c 10000 /dev/zero | tr "\\0" x >&2; echo -n end >&2; exit 1');
    cloud.submit('tsk_1');
    startShim(cloud);
    const { message } = (await cloud.called('tasks/tsk_1/fail')) as { message: string };
    expect(message).toHaveLength(2048);
    expect(message.endsWith('xend')).toBe(true);
  });

  test('is named where it does not exist', async () => {
    cloud.config.driver = { type: 'command', command: ['no-such-program', 'x'] };
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'command_not_found',
      message: expect.stringContaining('"no-such-program" was not found'),
    });
  });

  test('is named where it may not be executed', async () => {
    const workspace = temporaryFolder();
    writeFileSync(join(workspace, 'script'), 'echo', { mode: 0o644 });
    cloud.config.driver = { type: 'command', command: ['./script'] };
    cloud.submit('tsk_1');
    startShim(cloud, { workspace });
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'command_not_found',
      message: expect.stringContaining('chmod +x'),
    });
  });

  test('fails with output_invalid where stdout is not the JSON that was asked for', async () => {
    run('echo not json');
    cloud.submit('tsk_1', { output: { type: 'json' } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'output_invalid',
      message: expect.stringContaining('not json'),
    });
  });

  test('fails with output_invalid where the JSON does not fit the schema', async () => {
    cloud.submit('tsk_1', {
      input: { a: 'x' },
      output: { type: 'json', schema: { properties: { a: { type: 'number' } } } },
    });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'output_invalid',
      message: expect.stringContaining('output/a must be number'),
    });
  });

  test('is stopped when it writes more than 100 MB', async () => {
    run('yes');
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'output_too_large' });
  });

  test('fails with input_unavailable where its input is gone', async () => {
    cloud.submit('tsk_1', { input: undefined, inputUrl: `${cloud.url}/bucket/uploads/none` });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'input_unavailable' });
  });
});

describe('a command with a budget', () => {
  const used = { tokens: 900, costUsd: 0 };

  test('has what it spends told at once, since its container may die', async () => {
    run('echo \'{"input":5}\' >&3; sleep 100');
    cloud.submit('tsk_1', { leaseSeconds: 3000, budget: { limits: { tokens: 1000 }, used } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/heartbeat')).toMatchObject({ usage: { inputTokens: 5 } });
  });

  test('is not ended for the time that its answer takes to S3', async () => {
    cloud.maxInlineBytes = 10;
    run('echo 01234567890123456789');
    const budget = { limits: { costUsd: 0.05 }, used: { tokens: 0, costUsd: 0 } };
    // Two heartbeats are two thirds of a second.
    cloud.submit('tsk_1', { leaseSeconds: 1, usdPerSecond: 0.1, budget });
    cloud.override('outputs/tsk_1', () =>
      cloud.count('tasks/tsk_1/heartbeat') < 2 ? { status: 503, body: {} } : null,
    );
    startShim(cloud);
    const ends = ['complete', 'fail'].map(async (end) => [end, await cloud.called(`tasks/tsk_1/${end}`)]);
    expect(await Promise.race(ends)).toEqual(['complete', expect.anything()]);
  });

  test('is killed without the rest of its grace by a forced cancel', async () => {
    cloud.config.cancelGraceSeconds = 1000;
    run('trap "" TERM; echo \'{"input":101}\' >&3; while :; do sleep 0.1; done');
    cloud.submit('tsk_1', { leaseSeconds: 1, budget: { limits: { tokens: 1000 }, used } });
    cloud.override('tasks/tsk_1/heartbeat', () => ({
      status: 200,
      body: { cancel: true, force: true, leaseUntil: '' },
    }));
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'budget_exceeded' });
  });

  test('is ended when it says that it has spent more, whatever it does then', async () => {
    run('trap "echo stubborn" TERM; echo \'{"input":101}\' >&3; while :; do sleep 0.1; done');
    cloud.config.cancelGraceSeconds = 0.2;
    cloud.submit('tsk_1', { budget: { limits: { tokens: 1000 }, used } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'budget_exceeded',
      message: 'The task has used 1001 of 1000 tokens. Its processes are gone.',
      usage: { inputTokens: 101 },
    });
  });

  test('may spend all of it', async () => {
    run('echo \'{"input":60,"output":40}\' >&3; echo done');
    cloud.submit('tsk_1', { budget: { limits: { tokens: 1000 }, used } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'done\n' });
  });

  test('is ended when its container has cost more', async () => {
    run('sleep 100');
    const limits = { costUsd: 0.05 };
    cloud.submit('tsk_1', { leaseSeconds: 1, usdPerSecond: 0.1, budget: { limits, used: { tokens: 0, costUsd: 0 } } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'budget_exceeded',
      message: expect.stringMatching(/ \$0\.[01]\d* of \$0\.05\./),
    });
  });

  test('gives its task back when its agent has spent its own', async () => {
    run('echo \'{"input":101}\' >&3; sleep 100');
    cloud.orders = { budget: { limits: { tokens: 1000 }, used } };
    cloud.submit('tsk_1');
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/release')).toMatchObject({
      reason: 'its agent has used 1001 of 1000 tokens',
      usage: { inputTokens: 101 },
    });
  });
});

describe('the environment of a command', () => {
  test('tells which task it is, and holds what the container and the template set', async () => {
    cloud.config.env = { GREETING: 'hi' };
    run(
      'echo "$ROUSE_TASK_ID $ROUSE_AGENT_ID $ROUSE_RUNTIME_ID $ROUSE_ATTEMPT $GREETING $CONTAINER"; [ "$PWD" = "$ROUSE_WORKSPACE" ]',
    );
    cloud.submit('tsk_1', { fence: 4 });
    startShim(cloud, { env: { CONTAINER: 'secret-of-the-agent' } });
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: 'tsk_1 agt_01ARZ3NDEKTSV4RRFFQ69G5FAV rt_01BX5ZZKBKACTAV9WQ69G5FAVX 4 hi secret-of-the-agent\n',
    });
  });

  test('tells of the message as which the task came', async () => {
    run('env | grep ^ROUSE_MESSAGE_ | sort');
    const from = { type: 'agent' as const, id: 'agt_1' };
    cloud.submit('tsk_1', { message: { id: 'msg_1', from, topic: 'sums', replyTo: null } });
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: 'ROUSE_MESSAGE_FROM=agt_1\nROUSE_MESSAGE_ID=msg_1\nROUSE_MESSAGE_TOPIC=sums\n',
    });
  });

  test('is not changed by the start-up files of bash, which takes a socket on stdin for a remote login', async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, '.bashrc'), 'echo noise; export NOISE=1');
    run('echo "clean$NOISE"');
    cloud.submit('tsk_1');
    startShim(cloud, { env: { HOME: home } });
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'clean\n' });
  });

  test('has neither the token nor the credentials of the shim, but keeps the task role', async () => {
    run('env');
    cloud.submit('tsk_1');
    const env = {
      AWS_ACCESS_KEY_ID: 'STATIC',
      AWS_SECRET_ACCESS_KEY: 'static-secret',
      AWS_SESSION_TOKEN: 'static-token',
    };
    const shim = startShim(cloud, { env });
    const { output } = (await cloud.called('tasks/tsk_1/complete')) as { output: string };
    expect(output).toContain('AWS_CONTAINER_CREDENTIALS_FULL_URI=');
    for (const secret of [/token-\d/, /brokered/i, /static/i, /task-role-secret/, /ROUSE_API_URL/]) {
      expect(output).not.toMatch(secret);
      expect(shim.log.join('')).not.toMatch(secret);
    }
  });
});
