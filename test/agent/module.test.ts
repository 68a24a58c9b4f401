import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Cloud, problem } from './support/cloud.ts';
import { isAlive } from './support/processes.ts';
import { startCloud, startShim, temporaryFolder } from './support/shim.ts';

let cloud: Cloud;
beforeEach(async () => {
  cloud = await startCloud();
});

/** Starts a shim whose agent is this module. */
function startAgent(source: string) {
  const root = temporaryFolder();
  writeFileSync(join(root, 'agent.mjs'), source);
  cloud.config.driver = { type: 'module', path: 'agent.mjs' };
  return startShim(cloud, { env: { ROUSE_MODULE_ROOT: root } });
}

describe('a module', () => {
  test('gets the task and its context, and answers with what run() returns', async () => {
    cloud.submit('tsk_1', { input: { n: 2 }, metadata: { m: 1 }, output: { type: 'json' }, fence: 3 });
    const { workspace } = startAgent(`
      export async function run(task, ctx) {
        const { signal, log, progress, activity, send, tokens, ...rest } = ctx;
        return { task, rest, cwd: process.cwd(), aborted: signal.aborted };
      }`);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: {
        task: { id: 'tsk_1', input: { n: 2 }, metadata: { m: 1 }, output: { type: 'json' }, lastError: null },
        rest: { taskId: 'tsk_1', agentId: 'agt_01ARZ3NDEKTSV4RRFFQ69G5FAV', attempt: 3, workspace },
        cwd: workspace,
        aborted: false,
      },
    });
  });

  test('logs, shows progress, counts tokens and keeps the agent awake', async () => {
    cloud.config.idleTimeoutSeconds = 0;
    cloud.submit('tsk_1');
    const startedAt = Date.now();
    const shim = startAgent(`
      export async function run(task, ctx) {
        ctx.log('by log'); console.log('by console'); console.error('by error');
        ctx.progress({ step: 1 }); ctx.tokens({ input: 5, output: 7, costUsd: undefined }); ctx.activity(2);
      }`);
    const events = (await cloud.called('tasks/tsk_1/events')) as { lines: { line: string }[] };
    expect(events).toMatchObject({ progress: { step: 1 } });
    expect(events.lines.map(({ line }) => line).sort()).toEqual(['by console', 'by error', 'by log']);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: null,
      usage: { inputTokens: 5, outputTokens: 7, reportedCostUsd: 0 },
    });
    expect(await cloud.called('activity')).toEqual({ seconds: 2 });
    await shim.exit;
    expect(Date.now() - startedAt).toBeGreaterThan(2000);
  });

  test('beyond its budget hears that it has to end, and has failed', async () => {
    cloud.submit('tsk_1', { budget: { limits: { costUsd: 0.5 }, used: { tokens: 0, costUsd: 0.3 } } });
    startAgent(`
      export async function run(task, ctx) {
        ctx.tokens({ input: 100, costUsd: 0.15 });
        ctx.tokens({ output: 20, costUsd: 0.1 });
        await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
        ctx.tokens({ output: 3 });
        return 'too late';
      }`);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      code: 'budget_exceeded',
      message: 'The task has used $0.55 of $0.5. Its processes are gone.',
      usage: { inputTokens: 100, outputTokens: 23, reportedCostUsd: 0.25 },
    });
  });

  test('that was told to end and spends on is killed', async () => {
    cloud.config.cancelGraceSeconds = 60;
    cloud.submit('tsk_1', { budget: { limits: { tokens: 1000 }, used: { tokens: 0, costUsd: 0 } } });
    startAgent(`
      export async function run(task, ctx) {
        for (let n = 0; ; n++) {
          ctx.tokens({ input: 900 });
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      }`);
    const { usage } = (await cloud.called('tasks/tsk_1/fail')) as { usage: { inputTokens: number } };
    // What went beyond, and what was said after it.
    expect(usage.inputTokens).toBe(2700);
  });

  test('that speaks past its context to the shim does no harm', async () => {
    cloud.submit('tsk_1');
    startAgent(`
      export async function run() {
        for (const spent of [undefined, 'all', { input: -1 }]) process.send({ type: 'tokens', spent });
        return 'done';
      }`);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: 'done',
      usage: { inputTokens: 0, outputTokens: 0 },
      lines: [1, 2, 3].map(() => ({ stream: 'system', line: expect.stringMatching(/^ctx.tokens\(\)/) })),
    });
  });

  test('that says nonsense of its spending hears so', async () => {
    cloud.submit('tsk_1');
    startAgent(`export const run = (task, ctx) => ctx.tokens({ input: 'many' });`);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      message: 'ctx.tokens() input was given many; a number from 0 to 1000000000 is allowed.',
    });
  });

  test('gets the message as which its task came, and sends others in their order', async () => {
    const message = { id: 'msg_1', from: { type: 'agent' as const, id: 'agt_1' }, topic: 'sums', replyTo: 'agt_1' };
    cloud.submit('tsk_1', { message, fence: 2 });
    cloud.override('messages', ({ body }) => ({ status: 202, body: { id: `msg_${body}` } }));
    startAgent(`
      export async function run({ message }, ctx) {
        const first = ctx.send({ to: message.replyTo, topic: message.topic, body: 1 });
        const second = ctx.send({ to: message.from.id, body: 2, wake: false });
        ctx.send({ to: 'agt_2', body: 3 });
        return [await first, await second];
      }`);
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: [{ id: 'msg_1' }, { id: 'msg_2' }] });
    const sent = cloud.calls.filter(({ route }) => route === 'messages' || route.endsWith('/complete'));
    const grip = { taskId: 'tsk_1', fence: 2 };
    expect(sent).toMatchObject([
      { body: { ...grip, to: 'agt_1', topic: 'sums', body: 1 }, idempotencyKey: 'tsk_1-2-1' },
      { body: { ...grip, to: 'agt_1', body: 2, wake: false }, idempotencyKey: 'tsk_1-2-2' },
      // It waits for nothing, and yet the task does not end before it is sent.
      { body: { ...grip, to: 'agt_2', body: 3 }, idempotencyKey: 'tsk_1-2-3' },
      { route: 'tasks/tsk_1/complete' },
    ]);
  });

  test('hears why a message is not taken, and may go on', async () => {
    cloud.submit('tsk_1');
    const issues = [{ path: 'to', message: 'Received "bob"; an id is allowed.' }];
    cloud.override('messages', () => ({ status: 422, body: { code: 'invalid', detail: 'It does not fit.', issues } }));
    startAgent("export const run = (task, ctx) => ctx.send({ to: 'bob', body: 1 }).catch((error) => error.message)");
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({
      output: 'to: Received "bob"; an id is allowed. (invalid)',
    });
  });

  test('dies when a message tells that it has lost its fence', async () => {
    cloud.submit('tsk_1');
    cloud.override('messages', () => problem(409, 'fence_lost'));
    startAgent(`
      export async function run(task, ctx) {
        await ctx.send({ to: 'agt_1', body: process.pid }).catch(() => {});
        await new Promise(() => setInterval(() => {}, 1000));
      }`);
    const { body: pid } = await cloud.called('messages');
    await expect.poll(() => isAlive(Number(pid))).toBe(false);
    expect(cloud.count('tasks/tsk_1/complete') + cloud.count('tasks/tsk_1/fail')).toBe(0);
  });

  test('gets a large input as a value where it is JSON and as text where it is not', async () => {
    cloud.config.concurrency = 2;
    cloud.bucket.contentType = 'application/json';
    cloud.bucket.objects.set('json', Buffer.from('[1]')).set('text', Buffer.from('one'));
    cloud.submit('tsk_1', { input: undefined, inputUrl: `${cloud.url}/bucket/json` });
    cloud.submit('tsk_2', { input: undefined, inputUrl: `${cloud.url}/bucket/text` });
    startAgent('export const run = (task) => task.input');
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: [1] });
    expect(await cloud.called('tasks/tsk_2/complete')).toMatchObject({ output: 'one' });
  });

  const failures: [string, string, object][] = [
    ['throws', 'throw new Error("no luck")', { code: 'driver_failed', message: 'no luck' }],
    [
      'throws with a code and a delay',
      'throw Object.assign(new Error("slow down"), { code: "rate_limited", retryAfterSeconds: 9 })',
      { code: 'rate_limited', message: 'slow down', retryAfterSeconds: 9 },
    ],
    ['exits', 'process.exit(3)', { code: 'driver_failed', message: expect.stringContaining('exit code 3') }],
    ['returns what is not JSON', 'return 1n', { code: 'driver_failed', message: expect.stringContaining('not JSON') }],
  ];
  test.each(failures)('fails its task when it %s', async (_title, body, expected) => {
    cloud.submit('tsk_1');
    startAgent(`export async function run() { ${body} }`);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject(expected);
  });

  test('fails its task when it does not exist or exports no run()', async () => {
    cloud.submit('tsk_1');
    startAgent('export const nothing = 1');
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({
      message: expect.stringContaining('no export named "run"'),
    });
  });

  test('hears of a cancel by its signal', async () => {
    cloud.submit('tsk_1', { leaseSeconds: 3 });
    const cancel = () => cloud.count('tasks/tsk_1/events') > 0;
    cloud.override('tasks/tsk_1/heartbeat', () => ({ status: 200, body: { cancel: cancel(), leaseUntil: '' } }));
    startAgent(`
      export async function run(task, ctx) {
        ctx.log('listens');
        await new Promise((resolve) => { ctx.signal.onabort = resolve; setTimeout(resolve, 60_000); });
        ctx.log('heard');
      }`);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'cancelled', lines: [{ line: 'heard' }] });
  });

  test('that hangs is killed at its time-out', async () => {
    cloud.config.cancelGraceSeconds = 0.1;
    // On a busy machine it takes seconds to start.
    cloud.submit('tsk_1', { timeoutSeconds: 10 });
    // Hangs like an endless loop, without a core to itself.
    startAgent(`
      export function run() {
        console.log(process.pid);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      }`);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'timed_out' });
    // Its line travels with the failure where that came first.
    const lines = cloud.calls.flatMap(({ body }) => (body.lines ?? []) as { line: string }[]);
    expect(lines).toEqual([expect.objectContaining({ line: expect.stringMatching(/^\d+$/) })]);
    expect(isAlive(Number(lines[0]?.line))).toBe(false);
  });
});
