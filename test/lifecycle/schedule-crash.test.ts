import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';

/**
 * A schedule is made, fires, hears of the end, is deleted: again and again on one stack, with the process of a function
 * dying before or after one of its AWS calls. Whichever it is, each occurrence starts once, and nothing is left behind.
 */

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;
let jobs = 0;
/** Calls that did not come again. */
let absent = 0;
/** The test itself looks, which is not part of the job. */
let looking = false;

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

interface Site {
  name: string;
  occurrence: number;
}

const parts = ['api', 'trigger', 'dispatch', 'record', 'timers'];

function nameOf({ function: name, request }: FunctionCall): string {
  const target = request.headers['x-amz-target'];
  return `${name} ${target?.split('.').at(-1) ?? `${request.method} ${request.path.split('/')[1]}`}`;
}

async function insist(method: string, path: string, body?: unknown): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const { status } = await stack.request(method, path, body);
    // What was deleted before the answer got lost is not there any more.
    if (status < 300 || (method === 'DELETE' && status === 404)) return;
    expect(status).toBe(500);
  }
  throw new Error(`${method} ${path} was never answered.`);
}

async function seen<T>(look: () => Promise<T>): Promise<T> {
  looking = true;
  try {
    return await look();
  } finally {
    looking = false;
  }
}

async function run(): Promise<void> {
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
    const [fire] = await seen(() => schedules.fires(name));
    return fire?.result?.status === 'succeeded';
  };
  await stack.until(ended, boundSeconds, 'the end of the fire');
  const fires = await seen(() => schedules.fires(name));
  expect(fires).toMatchObject([{ outcome: 'started' }]);
  await insist('DELETE', `/v1/schedules/${name}`);
  await stack.advance(5);
  stack.crash = undefined;
  await stack.until(async () => (await schedules.alarms(name)).length === 0, 130, 'the end of its alarm');
  expect(inputs).toEqual(fires.map(({ scheduledTime }) => scheduledTime));
  expect(await schedules.types(name)).toEqual(['created', 'completed', 'fired', 'fire_ended', 'deleted']);
}

async function callSites(): Promise<Site[]> {
  // What a function reads once and remembers is read now.
  await run();
  const sites: Site[] = [];
  const counts = new Map<string, number>();
  stack.crash = (call) => {
    if (looking || !parts.includes(call.function)) return undefined;
    const name = nameOf(call);
    const occurrence = (counts.get(name) ?? 0) + 1;
    counts.set(name, occurrence);
    sites.push({ name, occurrence });
    return undefined;
  };
  await run();
  return sites;
}

/** @returns what went wrong, or undefined */
async function crashAt(site: Site, fate: 'before' | 'after'): Promise<string | undefined> {
  let count = 0;
  let died = false;
  stack.crash = (call) => {
    if (died || looking || nameOf(call) !== site.name || ++count !== site.occurrence) return undefined;
    died = true;
    return fate;
  };
  try {
    await run();
    // Looks at the fleet come when they come.
    if (!died) absent += 1;
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n').slice(0, 12).join('\n') : String(error);
    return `${fate} ${site.name} #${site.occurrence}: ${reason}`;
  } finally {
    stack.crash = undefined;
    // What went wrong with one is none of the next one's business.
    await stack.request('DELETE', `/v1/schedules/job-${jobs}`);
  }
}

test('each occurrence starts once, wherever a function dies', { timeout: 240_000 }, async () => {
  const sites = await callSites();
  expect(sites.length).toBeGreaterThan(30);
  const problems: string[] = [];
  for (const site of sites) {
    for (const fate of ['before', 'after'] as const) {
      const problem = await crashAt(site, fate);
      if (problem) problems.push(problem);
    }
  }
  expect(problems).toEqual([]);
  expect(absent).toBeLessThan(sites.length / 5);
});
