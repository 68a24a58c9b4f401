import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  schedules = new ScheduleClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 30 });
  agentId = (await client.createAgent('echo')).id;
});

beforeEach(() => {
  stack.fleet.program = (task) => task.input;
});

afterAll(() => stack.close());

/** A schedule of the agent that fires every minute. */
const everyMinute = (differs: Record<string, unknown> = {}) => ({
  expression: 'rate(1 minute)',
  target: { agentId, task: { input: 'hello' } },
  ...differs,
});

const inSeconds = (seconds: number) => new Date(stack.clock.now() + seconds * 1000).toISOString();
const local = (time: string) => time.slice(0, 19);

test('a rate fires from its creation on, and each fire tells what became of it', async () => {
  const put = await schedules.put('steady', everyMinute(), 201);
  const times = [60, 120, 180, 240, 300].map(inSeconds);
  expect(put.nextFires).toEqual(times);
  await stack.advance(150);
  await schedules.untilEnded('steady', 2);
  const fires = await schedules.fires('steady');
  expect(fires).toMatchObject([
    { scheduledTime: times[0], outcome: 'started', cause: 'schedule', agentId, result: { status: 'succeeded' } },
    { scheduledTime: times[1], outcome: 'started', result: { status: 'succeeded' } },
  ]);
  const task = await client.task(fires[0]!.taskId!);
  expect(task).toMatchObject({ output: 'hello', parent: { schedule: 'steady', scheduledTime: times[0] } });
  expect(await schedules.types('steady')).toEqual(['created', 'fired', 'fire_ended', 'fired', 'fire_ended']);
  await schedules.remove('steady');
});

test('the next five times are right over the change of the clocks, also of a paused schedule', async () => {
  const put = await schedules.put('spring', {
    ...everyMinute({ expression: 'cron(0 9 ? * FRI-MON *)', timezone: 'Europe/Berlin', enabled: false }),
    startAt: '2027-03-26T00:00:00+01:00',
  });
  expect(put).toMatchObject({
    status: 'paused',
    nextFires: ['03-26T08', '03-27T08', '03-28T07', '03-29T07', '04-02T07'].map((hour) => `2027-${hour}:00:00.000Z`),
  });
  await schedules.remove('spring');
});

test('a one-time schedule fires once, is gone from EventBridge Scheduler, and stays readable', async () => {
  const at = inSeconds(90);
  await schedules.put('once', everyMinute({ expression: `at(${local(at)})` }), 201);
  await stack.advance(30);
  expect(await schedules.alarms('once')).toHaveLength(1);
  await stack.advance(90);
  await schedules.untilEnded('once', 1);
  expect(await schedules.get('once')).toMatchObject({ status: 'completed', nextFires: [] });
  expect(await schedules.fires('once')).toMatchObject([{ scheduledTime: at, outcome: 'started' }]);
  expect(await schedules.alarms('once')).toEqual([]);
  // The same definition again changes nothing, though its time is over.
  await schedules.put('once', everyMinute({ expression: `at(${local(at)})` }), 200);
  await schedules.remove('once');
});

test('a delivery that comes three times starts one', async () => {
  const undo = schedules.deliver(() => 3);
  await schedules.put('repeated', everyMinute());
  await stack.advance(65);
  undo();
  expect(await schedules.outcomes('repeated')).toEqual(['started']);
  await schedules.remove('repeated');
});

test('a delivery that is lost is found by the sweep, and one after it by itself', async () => {
  let lost = 0;
  const undo = schedules.deliver(() => (lost++ === 0 ? 0 : 1));
  await schedules.put('lossy', everyMinute({ expression: 'rate(10 minutes)' }));
  const first = inSeconds(600);
  await stack.advance(600 + 60);
  expect(await schedules.fires('lossy')).toEqual([]);
  await stack.advance(130);
  undo();
  expect(await schedules.fires('lossy')).toMatchObject([{ scheduledTime: first, outcome: 'started' }]);
  await stack.advance(600);
  expect(await schedules.outcomes('lossy')).toEqual(['started', 'started']);
  await schedules.remove('lossy');
});

test('what comes later than the catch-up window allows is missed, and says so', async () => {
  const undo = schedules.deliver(() => 0);
  await schedules.put('strict', everyMinute({ expression: 'rate(1 hour)', catchupWindowSeconds: 60 }));
  await stack.advance(3600 + 190);
  undo();
  const [fire] = await schedules.fires('strict');
  expect(fire).toMatchObject({ outcome: 'missed', taskId: null });
  expect(fire?.reason).toMatch(/^it came \d+ s late, and the catch-up window has 60 s$/);
  expect(await schedules.types('strict')).toEqual(['created', 'missed']);
  await schedules.remove('strict');
});

test('a paused schedule fires only when triggered, and what it left out can be backfilled, each occurrence once', async () => {
  await schedules.put('resting', everyMinute());
  const createdAt = inSeconds(0);
  await stack.advance(65);
  expect(await schedules.post('resting', 'pause', { note: 'holidays' })).toMatchObject({
    status: 'paused',
    enabled: false,
    note: 'holidays',
  });
  await stack.advance(180);
  expect(await schedules.alarms('resting')).toEqual([]);
  expect(await schedules.trigger('resting')).toMatchObject({ outcome: 'started', cause: 'trigger' });
  await schedules.untilEnded('resting', 2);
  await schedules.post('resting', 'resume');
  const range = { from: new Date(Date.parse(createdAt) + 1).toISOString(), to: inSeconds(0), overlap: 'buffer_all' };
  await schedules.post('resting', 'backfill', range);
  await schedules.post('resting', 'backfill', range);
  await stack.until(async () => (await schedules.get('resting')).backfills.length === 0, 120, 'the backfill');
  await schedules.post('resting', 'pause');
  const fires = await schedules.fires('resting');
  const expected = [60, 120, 180, 240].map((s) => new Date(Date.parse(createdAt) + s * 1000).toISOString());
  const regular = fires.filter(({ cause }) => cause !== 'trigger').map(({ scheduledTime }) => scheduledTime);
  expect(regular.slice(0, 4)).toEqual(expected);
  expect(new Set(regular).size).toBe(regular.length);
  const tasks = await Promise.all(
    fires.filter(({ cause }) => cause === 'backfill').map(({ taskId }) => client.task(taskId!)),
  );
  // One after the other.
  for (const [i, task] of tasks.slice(1).entries())
    expect(Date.parse(task.startedAt!)).toBeGreaterThanOrEqual(Date.parse(tasks[i]!.finishedAt!));
  await schedules.remove('resting');
});

test('a backfill of more than a thousand occurrences is refused, and told how far it may go', async () => {
  await schedules.put('often', { expression: 'rate(1 minute)', target: { agentId, task: { input: 'x' } } });
  await schedules.post('often', 'pause', {});
  const [from, to] = [inSeconds(-1001 * 60), inSeconds(0)];
  const refused = await stack.request('POST', '/v1/schedules/often/backfill', { from, to });
  expect(refused).toMatchObject({
    status: 422,
    body: { code: 'invalid', issues: [{ path: 'to', message: expect.stringContaining('at most 1000 occurrences') }] },
  });
  const [, before] = /a time before (\S+) is allowed/.exec(refused.body.detail) ?? [];
  const allowed = new Date(Date.parse(before!) - 1000).toISOString();
  expect((await stack.request('POST', '/v1/schedules/often/backfill', { from, to: allowed })).status).toBe(202);
  await schedules.remove('often');
});

test('a backfill under allow_all runs its occurrences beside each other', async () => {
  let running = 0;
  let most = 0;
  stack.fleet.program = (_, shim) =>
    new Promise((resolve) => {
      most = Math.max(most, ++running);
      stack.clock.at(stack.clock.now() + 20_000, () => {
        running -= 1;
        resolve(shim.agentId);
      });
    });
  await client.putTemplate('wide', { idleTimeoutSeconds: 30, concurrency: 50 });
  const wide = await client.createAgent('wide');
  const target = { agentId: wide.id, task: { input: 'x' } };
  await schedules.put('hourly', { expression: 'rate(1 hour)', overlap: 'allow_all', target });
  const to = inSeconds(0);
  const from = inSeconds(-40 * 3600 + 1);
  await schedules.post('hourly', 'backfill', { from, to });
  await stack.until(async () => (await schedules.get('hourly')).backfills.length === 0, 120, 'the backfill');
  await schedules.untilEnded('hourly', 40);
  expect(most).toBe(40);
  expect(await schedules.outcomes('hourly')).toEqual(Array(40).fill('started'));
  await schedules.remove('hourly');
});

test('a failure pauses a schedule that wants it, and cancelling does not', async () => {
  let fate: 'hang' | 'fail' = 'hang';
  stack.fleet.program = () => {
    if (fate === 'hang') return new Promise(() => {});
    throw new Error('no');
  };
  const task = { input: 'x', maxAttempts: 1 };
  await schedules.put('careful', everyMinute({ pauseOnFailure: true, target: { agentId, task } }));
  await stack.advance(70);
  const [fire] = await schedules.fires('careful');
  await stack.call('POST', `/v1/tasks/${fire!.taskId}/cancel`, undefined, 202);
  await schedules.untilEnded('careful', 1);
  expect(await schedules.get('careful')).toMatchObject({ status: 'active', lastResult: { status: 'cancelled' } });
  fate = 'fail';
  await schedules.untilEnded('careful', 2);
  const { status, statusReason } = await schedules.get('careful');
  expect(status).toBe('paused');
  expect(statusReason).toMatch(/^the fire of .* ended as failed$/);
  await schedules.post('careful', 'resume');
  expect(await schedules.get('careful')).toMatchObject({ status: 'active', statusReason: null });
  await schedules.remove('careful');
});

test('the last output is handed to the next fire, and the last error until one succeeds', async () => {
  const inputs: unknown[] = [];
  stack.fleet.program = (task) => {
    inputs.push(task.input);
    if (inputs.length === 2) throw new Error('no');
    return { n: inputs.length };
  };
  const input = {
    at: '{% $fire.scheduledTime %}',
    last: '{% $fire.lastOutput %}',
    error: '{% $fire.lastError.code ?? "none" %}',
  };
  const task = { input, maxAttempts: 1, output: { type: 'json' } };
  await schedules.put('chained', everyMinute({ target: { agentId, task } }));
  const times = [60, 120, 180, 240].map(inSeconds);
  await stack.advance(245);
  await schedules.untilEnded('chained', 4);
  expect(inputs).toEqual([
    { at: times[0], last: null, error: 'none' },
    { at: times[1], last: { n: 1 }, error: 'none' },
    { at: times[2], last: { n: 1 }, error: 'driver_failed' },
    { at: times[3], last: { n: 3 }, error: 'none' },
  ]);
  await schedules.remove('chained');
});

test('a fire whose input can not be made fails with the expression, and the next one is tried', async () => {
  const task = { input: '{% $fire.lastOutput.missing %}' };
  await schedules.put('wrong', everyMinute({ target: { agentId, task } }));
  await stack.advance(125);
  const fires = await schedules.fires('wrong');
  expect(fires).toMatchObject([{ outcome: 'failed' }, { outcome: 'failed' }]);
  expect(fires[0]?.reason).toContain('$fire.lastOutput.missing');
  expect(await schedules.types('wrong')).toEqual(['created', 'failed', 'failed']);
  await schedules.remove('wrong');
});

test('a fire that can not start yet holds nothing else up, and starts when it can', async () => {
  let finish = () => {};
  stack.fleet.program = () => new Promise((resolve) => (finish = () => resolve('done')));
  await schedules.put('held-up', everyMinute({ overlap: 'allow_all' }));
  await stack.advance(65);
  const undo = stack.aws.faults.add(({ service, operation, input, principal }) =>
    service === 'dynamodb' &&
    operation === 'PutItem' &&
    principal?.includes('/dispatch') &&
    JSON.stringify(input).includes('"task#')
      ? { kind: 'error', code: 'ProvisionedThroughputExceededException', status: 400 }
      : undefined,
  );
  await stack.advance(60);
  finish();
  stack.fleet.program = (task) => task.input;
  await schedules.untilEnded('held-up', 1, 240);
  undo();
  const second = async () => (await schedules.fires('held-up'))[1]!;
  await stack.until(
    async () => (await stack.request('GET', `/v1/tasks/${(await second()).taskId}`)).status === 200,
    240,
    'its start',
  );
  await schedules.remove('held-up');
});

test('a schedule whose agent is gone says so, and pauses', async () => {
  const gone = await client.createAgent('echo');
  await schedules.put('orphaned', everyMinute({ target: { agentId: gone.id, task: { input: 'x' } } }));
  await stack.call('DELETE', `/v1/agents/${gone.id}`, undefined, 202);
  await stack.advance(200);
  expect(await schedules.get('orphaned')).toMatchObject({
    status: 'paused',
    statusReason: `The agent "${gone.id}" is terminated. Create a new one.`,
  });
  expect(await schedules.outcomes('orphaned')).toEqual(['failed']);
  await schedules.remove('orphaned');
});

test('what a schedule can not be is refused, each problem by its field', async () => {
  const refused = async (differs: Record<string, unknown>) => {
    const { status, body } = await stack.request('PUT', '/v1/schedules/bad', everyMinute(differs));
    expect(status).toBe(422);
    return (body as { issues: { path: string; message: string }[] }).issues.map(({ path }) => path);
  };
  expect(await refused({ expression: 'every day', timezone: 'Mars' })).toEqual(['expression', 'timezone']);
  expect(await refused({ expression: 'at(2020-01-01T00:00:00)' })).toEqual(['expression']);
  expect(await refused({ expression: 'at(2030-01-01T00:00:00)', endAt: '2031-01-01T00:00:00Z' })).toEqual(['endAt']);
  expect(await refused({ target: { agentId } })).toEqual(['target.task']);
  expect(await refused({ target: { agentId, template: 'echo', task: { input: 'x' } } })).toEqual(['target']);
  expect(await refused({ target: { template: 'nothing', task: { input: 'x' } } })).toEqual(['target.template']);
  expect(await refused({ target: { agentId, task: { input: '{% $run.input %}' } } })).toEqual(['target.task.input']);
  expect(await refused({ target: { agentId, task: { input: 'x'.repeat(20_000) } } })).toEqual(['target']);
  expect(await refused({ catchupWindowSeconds: 1, overlap: 'maybe' })).toEqual(['overlap', 'catchupWindowSeconds']);
});

test('a trigger that is repeated with its key fires once', async () => {
  await schedules.put('pressed', everyMinute({ expression: 'rate(1 day)' }));
  const press = () => stack.call('POST', '/v1/schedules/pressed/trigger', {}, 202, { 'idempotency-key': 'press-1' });
  expect(await press()).toEqual(await press());
  expect(await schedules.outcomes('pressed')).toEqual(['started']);
  await schedules.remove('pressed');
});

test('jitter moves each fire by less than its limit, and the sweep is not needed for it', async () => {
  await schedules.put('spread', everyMinute({ expression: 'rate(10 minutes)', jitterSeconds: 300 }));
  const createdMs = stack.clock.now();
  await stack.advance(3 * 600 + 301);
  const fires = await schedules.fires('spread');
  const offsets = await Promise.all(
    fires.map(async ({ taskId, scheduledTime }) => {
      const { createdAt } = (await client.task(taskId!)) as unknown as { createdAt: string };
      return (Date.parse(createdAt) - Date.parse(scheduledTime)) / 1000;
    }),
  );
  expect(fires.map(({ scheduledTime }) => Date.parse(scheduledTime) - createdMs)).toEqual(
    [600, 1200, 1800].map((s) => s * 1000),
  );
  for (const offset of offsets) expect(offset).toBeLessThanOrEqual(301);
  expect(new Set(offsets).size).toBe(3);
  await schedules.remove('spread');
});

test('one that is deleted is gone, and one of the same name begins anew', async () => {
  await schedules.put('again', everyMinute());
  await stack.advance(65);
  await schedules.remove('again');
  expect(await stack.request('GET', '/v1/schedules/again')).toMatchObject({ status: 404 });
  await schedules.put('again', everyMinute(), 201);
  expect(await schedules.fires('again')).toEqual([]);
  await stack.advance(65);
  expect(await schedules.outcomes('again')).toEqual(['started']);
  await schedules.remove('again');
  await stack.advance(120);
  expect(await schedules.alarms('again')).toEqual([]);
});
