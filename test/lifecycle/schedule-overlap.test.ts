import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { TestStack } from '../support/stack.ts';

/** What happens when the time has come and an earlier fire has not ended. */

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;
/** Ends the programs that run, oldest first. */
let finish: (() => void)[];
let names = 0;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  schedules = new ScheduleClient(stack);
  const patient = { idleTimeoutSeconds: 3600, task: { timeoutSeconds: 86_400 } };
  await client.putTemplate('slow', { ...patient, concurrency: 10 });
  await client.putTemplate('fresh', patient);
});

beforeEach(async () => {
  finish = [];
  // What an earlier test left running is none of a test's business.
  stack.fleet.program = ({ metadata }) =>
    new Promise((resolve) => {
      if (metadata.test === names) finish.push(() => resolve('done'));
    });
  agentId = (await client.createAgent('slow')).id;
});

afterAll(() => stack.close());

/** A schedule that fires every minute, with three occurrences behind it, of which the first still runs. */
async function afterThree(overlap: string, differs: { template?: string } = {}): Promise<string> {
  const name = `overlap-${++names}`;
  await schedules.put(name, {
    expression: 'rate(1 minute)',
    overlap,
    target: {
      ...(differs.template ? { template: differs.template } : { agentId }),
      task: { input: 'x', metadata: { test: names } },
    },
  });
  await stack.advance(185);
  return name;
}

async function next(): Promise<void> {
  finish.shift()?.();
  await stack.advance(20);
}

test('skip starts none, and each says so with its reason, in an event and in a metric too', async () => {
  const name = await afterThree('skip');
  const fires = await schedules.fires(name);
  expect(fires.map(({ outcome }) => outcome)).toEqual(['started', 'skipped', 'skipped']);
  expect(fires[1]?.reason).toMatch(/has not ended \(tsk_\w+\), and the overlap policy is skip/);
  const skipped = (await schedules.events(name)).filter(({ type }) => type === 'schedule.skipped');
  expect(skipped.map(({ data }) => data.scheduledTime)).toEqual(fires.slice(1).map((fire) => fire.scheduledTime));
  const counted = stack.logs.map((line) => JSON.parse(line)).filter((line) => line.FiresSkipped === 1);
  expect(counted).toMatchObject(
    fires.slice(1).map(() => ({
      schedule: name,
      stack: 'rouse',
      _aws: {
        CloudWatchMetrics: [{ Namespace: 'Rouse', Dimensions: [['stack']], Metrics: [{ Name: 'FiresSkipped' }] }],
      },
    })),
  );
  await next();
  await stack.advance(60);
  expect((await schedules.outcomes(name)).at(-1)).toBe('started');
  await schedules.remove(name);
});

test('buffer_one starts the first that came when the one before has ended, and skips the others', async () => {
  const name = await afterThree('buffer_one');
  expect(await schedules.outcomes(name)).toEqual(['started', 'buffered', 'skipped']);
  await next();
  expect(await schedules.outcomes(name)).toEqual(['started', 'started', 'skipped']);
  await schedules.remove(name);
});

test('buffer_all starts them all, one after the other', async () => {
  const name = await afterThree('buffer_all');
  expect(await schedules.outcomes(name)).toEqual(['started', 'buffered', 'buffered']);
  expect((await schedules.get(name)).buffered).toBe(2);
  await next();
  expect(await schedules.outcomes(name)).toEqual(['started', 'started', 'buffered']);
  await next();
  expect(await schedules.outcomes(name)).toEqual(['started', 'started', 'started']);
  expect(finish).toHaveLength(1);
  await schedules.remove(name);
});

test('cancel_other starts the new one when it is proven that the old one has ended', async () => {
  const name = await afterThree('cancel_other');
  const fires = await schedules.fires(name);
  expect(fires.map(({ outcome, result }) => [outcome, result?.status])).toEqual([
    ['started', 'cancelled'],
    ['started', 'cancelled'],
    ['started', undefined],
  ]);
  const [first, second] = await Promise.all(fires.map(({ taskId }) => client.task(taskId!)));
  expect(Date.parse(second!.startedAt!)).toBeGreaterThanOrEqual(Date.parse(first!.finishedAt!));
  await schedules.remove(name);
});

test('terminate_other kills without grace, and starts the new one when death is proven', async () => {
  const name = await afterThree('terminate_other');
  const fires = await schedules.fires(name);
  expect(fires.map(({ outcome, result }) => [outcome, result?.status])).toEqual([
    ['started', 'cancelled'],
    ['started', 'cancelled'],
    ['started', undefined],
  ]);
  expect(stack.fleet.newest.killed).toEqual([fires[0]?.taskId, fires[1]?.taskId]);
  await schedules.remove(name);
});

test('what can not be cancelled at once holds the new one up, and the newest takes the place of those that wait', async () => {
  const name = await afterThree('buffer_one');
  stack.fleet.newest.mute = true;
  await schedules.put(name, {
    expression: 'rate(1 minute)',
    overlap: 'cancel_other',
    target: { agentId, task: { input: 'x' } },
  });
  const isCancelled = async () => (await schedules.fires(name))[0]?.result?.status === 'cancelled';
  await stack.until(isCancelled, 400, 'the proof of death');
  await stack.advance(30);
  const [first, second, ...others] = await schedules.fires(name);
  expect(second?.reason).toContain('took its place');
  expect(others.slice(0, -1).every(({ outcome }) => outcome === 'skipped')).toBe(true);
  const last = others.at(-1)!;
  expect(last.outcome).toBe('started');
  const [old, fresh] = await Promise.all([first!, last].map(({ taskId }) => client.task(taskId!)));
  expect(Date.parse(fresh!.startedAt!)).toBeGreaterThanOrEqual(Date.parse(old!.finishedAt!));
  await schedules.remove(name);
});

test('allow_all starts them beside each other', async () => {
  const name = await afterThree('allow_all');
  expect(await schedules.outcomes(name)).toEqual(['started', 'started', 'started']);
  expect((await schedules.get(name)).running).toHaveLength(3);
  finish[1]?.();
  await stack.advance(20);
  expect((await schedules.fires(name)).map(({ result }) => result?.status)).toEqual([
    undefined,
    'succeeded',
    undefined,
  ]);
  await schedules.remove(name);
});

test('a fresh agent is made for each fire, and terminated when its task has ended', async () => {
  const name = await afterThree('buffer_all', { template: 'fresh' });
  const [first] = await schedules.fires(name);
  expect(await client.agent(first!.agentId!)).toMatchObject({ status: 'running', labels: { schedule: name } });
  await next();
  await stack.advance(200);
  expect((await client.agent(first!.agentId!)).status).toBe('terminated');
  const [, second] = await schedules.fires(name);
  expect(second).toMatchObject({ outcome: 'started' });
  expect(second!.agentId).not.toBe(first!.agentId);
  // Deleting it leaves nothing behind: what runs goes on, and its agent goes when it has ended.
  await schedules.remove(name);
  await next();
  await stack.advance(300);
  expect((await client.agent(second!.agentId!)).status).toBe('terminated');
});
