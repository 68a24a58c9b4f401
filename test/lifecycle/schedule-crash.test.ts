import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { type Aside, crashEverywhere } from './crash-everywhere.ts';

/**
 * A schedule is made, fires, hears of the end, is deleted: again and again on one stack, with the process of a function
 * dying before or after one of its AWS calls. Whichever it is, each occurrence starts once, and nothing is left behind.
 */

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;
let jobs = 0;

const boundSeconds = 400;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  schedules = new ScheduleClient(stack);
  // The agent stays up, so that all that dispatch does is the schedule's.
  await client.putTemplate('echo', { idleTimeoutSeconds: 86_000, maxLifetimeSeconds: 86_400 });
  agentId = (await client.createAgent('echo', { start: true })).id;
  await client.becomes(agentId, 'running');
});

afterAll(() => stack.close());

/** The functions that have to do with schedules. */
const isOfSchedule = ({ function: name }: FunctionCall) =>
  ['api', 'trigger', 'dispatch', 'record', 'timers'].includes(name);

async function insist(method: string, path: string, body?: unknown): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const { status } = await stack.request(method, path, body);
    // What was deleted before the answer got lost is not there any more.
    if (status < 300 || (method === 'DELETE' && status === 404)) return;
    expect(status).toBe(500);
  }
  throw new Error(`${method} ${path} was never answered.`);
}

async function run(aside: Aside): Promise<void> {
  const name = `job-${++jobs}`;
  const inputs: unknown[] = [];
  stack.fleet.program = ({ input }) => {
    inputs.push(input);
    return input;
  };
  const target = { agentId, task: { input: '{% $fire.scheduledTime %}' } };
  const at = new Date(Math.ceil(stack.clock.now() / 1000 + 3) * 1000).toISOString().slice(0, 19);
  await insist('PUT', `/v1/schedules/${name}`, { expression: `at(${at})`, target });
  const ended = async () => {
    const [fire] = await aside(() => schedules.fires(name));
    return fire?.result?.status === 'succeeded';
  };
  await stack.until(ended, boundSeconds, 'the end of the fire');
  const fires = await aside(() => schedules.fires(name));
  expect(fires).toMatchObject([{ outcome: 'started' }]);
  await insist('DELETE', `/v1/schedules/${name}`);
  await stack.advance(5);
  stack.crash = undefined;
  await stack.until(async () => (await schedules.alarms(name)).length === 0, 130, 'the end of its alarm');
  expect(inputs).toEqual(fires.map(({ scheduledTime }) => scheduledTime));
  expect(await schedules.types(name)).toEqual(['created', 'completed', 'fired', 'fire_ended', 'deleted']);
}

test.each([
  ['before', 11],
  ['after', 25],
] as const)(
  'each occurrence starts once, %s whichever AWS call a function dies',
  { timeout: 240_000 },
  async (fate, least) => {
    await crashEverywhere(stack, fate, isOfSchedule, least, async (aside) => {
      // What went wrong with one is none of the next one's business.
      await run(aside).finally(() => aside(() => stack.request('DELETE', `/v1/schedules/job-${jobs}`)));
    });
  },
);
