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
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
  agentId = (await client.createAgent('echo')).id;
});

beforeEach(() => {
  stack.fleet.program = (task) => task.input;
});

afterAll(() => stack.close());

/** A schedule of the agent that fires every five minutes. */
const every5 = (differs: Record<string, unknown> = {}) => ({
  expression: 'rate(5 minutes)',
  target: { agentId, task: { input: 'hello' } },
  ...differs,
});

test('a rate fires from its creation on, and each fire tells what became of it', async () => {
  const put = await schedules.put('steady', every5(), 201);
  const createdMs = stack.clock.now();
  const at = (minutes: number) => new Date(createdMs + minutes * 60_000).toISOString();
  expect(put.nextFires).toEqual([at(5), at(10), at(15), at(20), at(25)]);
  await stack.advance(600);
  await schedules.untilEnded('steady', 2);
  const fires = await schedules.fires('steady');
  expect(fires).toMatchObject([
    { scheduledTime: at(5), outcome: 'started', cause: 'schedule', agentId, result: { status: 'succeeded' } },
    { scheduledTime: at(10), outcome: 'started', result: { status: 'succeeded' } },
  ]);
  const task = await client.task(fires[0]!.taskId!);
  expect(task).toMatchObject({ output: 'hello', parent: { schedule: 'steady', scheduledTime: at(5) } });
  expect(await schedules.types('steady')).toEqual(['created', 'fired', 'fire_ended', 'fired', 'fire_ended']);
  await schedules.remove('steady');
});
