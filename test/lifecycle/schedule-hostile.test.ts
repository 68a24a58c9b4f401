import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import { TestStack } from '../support/stack.ts';

/** Targets that can't start, errors without end, clients that ask at the worst moment. */

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  schedules = new ScheduleClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600, concurrency: 50, task: { maxAttempts: 1 } });
  agentId = (await client.createAgent('echo')).id;
});

afterAll(() => stack.close());

beforeEach(() => {
  stack.fleet.program = (task) => task.input;
});

const inSeconds = (seconds: number) => new Date(stack.clock.now() + seconds * 1000).toISOString();

test('a fresh agent whose task is refused is terminated', async () => {
  const target = { template: 'echo', task: { input: '{% {"$ref": "upl_nothing"} %}' } };
  await schedules.put('refused', { expression: 'rate(1 day)', target });
  const fire = await schedules.trigger('refused');
  expect(fire).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('nothing was uploaded') });
  await stack.advance(5);
  expect(await stack.call('GET', '/v1/agents?label=schedule:refused')).toMatchObject({ items: [] });
  await schedules.remove('refused');
});

test('a backfill leaves to the schedule what the schedule has yet to decide', async () => {
  const target = { agentId, task: { input: 'x' } };
  const jitter = { expression: 'rate(10 minutes)', jitterSeconds: 599, overlap: 'skip', target };
  await schedules.put('jittery', jitter);
  const from = inSeconds(1);
  await stack.advance(600);
  await schedules.post('jittery', 'backfill', { from, to: inSeconds(0) });
  await stack.advance(1200);
  await schedules.post('jittery', 'pause');
  await stack.until(async () => (await schedules.get('jittery')).backfills.length === 0, 120, 'the backfill');
  const started = (await schedules.events('jittery')).filter(({ type }) => type === 'schedule.fired');
  const times = started.map(({ data }) => data.scheduledTime);
  expect(times.length).toBeGreaterThan(0);
  expect(times).toEqual([...new Set(times)]);
  await schedules.remove('jittery');
});

test('a trigger whose answer was lost fires once, though its fire has ended when it is asked again', async () => {
  await schedules.put('pressed', { expression: 'rate(1 day)', target: { agentId, task: { input: 'x' } } });
  const press = () => stack.request('POST', '/v1/schedules/pressed/trigger', {}, { 'idempotency-key': 'press-1' });
  // The last thing that the function does is to keep its answer.
  stack.crash = ({ function: name, request }) =>
    name === 'api' && String(request.body).includes('"answer"') ? 'before' : undefined;
  const first = await press();
  stack.crash = undefined;
  expect(first.status).toBe(500);
  await schedules.untilEnded('pressed', 1);
  await stack.advance(60);
  expect(await press()).toMatchObject({ status: 202 });
  await stack.advance(30);
  expect((await schedules.types('pressed')).filter((type) => type === 'fired')).toEqual(['fired']);
  await schedules.remove('pressed');
});

test('errors as long as an agent may tell them hold up nothing', async () => {
  stack.fleet.program = () => {
    throw new ProgramFailure('exit_1', 'ü'.repeat(16_384));
  };
  const target = { agentId, task: { input: 'x' } };
  await schedules.put('loud', { expression: 'rate(1 hour)', overlap: 'allow_all', target });
  await schedules.post('loud', 'backfill', { from: inSeconds(-30 * 3600), to: inSeconds(0) });
  await schedules.untilEnded('loud', 30);
  expect((await schedules.fires('loud'))[0]?.result).toMatchObject({ status: 'failed' });
  await schedules.remove('loud');
});
