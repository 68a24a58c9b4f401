import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { TestStack } from '../support/stack.ts';
import { Adversary } from './adversary-runtime.ts';

/** Schedules that an agent makes for itself, with nothing but its runtime's token. */

let stack: TestStack;
let client: Client;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  await client.putTemplate('planner', { idleTimeoutSeconds: 30 });
});

afterAll(() => stack.close());

async function anAgent() {
  const agent = await client.createAgent('planner', { start: true });
  await client.becomes(agent.id, 'running');
  return { agent, shim: new Adversary(stack, stack.fleet.newest) };
}

const soon = { expression: 'rate(1 minute)', task: { input: 'again' } };

test('an agent wakes itself by a schedule of its own, lists it, and deletes it', async () => {
  const { agent, shim } = await anAgent();
  const put = await shim.call('schedules/later', soon, 'PUT');
  expect(put).toMatchObject({ status: 201, body: { name: 'later', ownerAgentId: agent.id } });
  expect(await shim.call('schedules', undefined, 'GET')).toMatchObject({ body: { items: [{ name: 'later' }] } });
  await client.becomes(agent.id, 'paused');
  await client.becomes(agent.id, 'running');
  const full = `agt-${agent.id.slice(4).toLowerCase()}-later`;
  expect(await new ScheduleClient(stack).fires(full)).toMatchObject([{ outcome: 'started', agentId: agent.id }]);
  const again = new Adversary(stack, stack.fleet.newest);
  expect(await again.call('schedules/later', undefined, 'DELETE')).toMatchObject({ status: 204 });
  expect(await again.call('schedules/never', undefined, 'DELETE')).toMatchObject({ status: 404 });
  expect(await again.call('schedules', undefined, 'GET')).toMatchObject({ body: { items: [] } });
});

test('two agents have schedules of the same name, and neither reaches the other or anybody else', async () => {
  const first = await anAgent();
  await first.shim.call('schedules/mine', soon, 'PUT');
  const second = await anAgent();
  expect(await second.shim.call('schedules/mine', soon, 'PUT')).toMatchObject({ status: 201 });
  expect(await second.shim.call('schedules/mine', undefined, 'DELETE')).toMatchObject({ status: 204 });
  expect(await first.shim.call('schedules', undefined, 'GET')).toMatchObject({ body: { items: [{ name: 'mine' }] } });
  const other = { ...soon, target: { agentId: first.agent.id, task: soon.task } };
  expect(await second.shim.call('schedules/theirs', other, 'PUT')).toMatchObject({ status: 422 });
});

test('an agent that runs wild is stopped at a hundred', async () => {
  const { shim } = await anAgent();
  const statuses: number[] = [];
  for (let i = 0; i <= 100; i++)
    statuses.push((await shim.call(`schedules/s${i}`, { ...soon, expression: 'rate(1 day)' }, 'PUT')).status);
  expect(statuses).toEqual([...Array(100).fill(201), 409]);
  // One whose time is over makes room.
  const at = new Date(stack.clock.now() + 2000).toISOString().slice(0, 19);
  expect(await shim.call('schedules/s0', { ...soon, expression: `at(${at})` }, 'PUT')).toMatchObject({ status: 200 });
  await stack.advance(5);
  expect((await shim.call('schedules/more', soon, 'PUT')).status).toBe(201);
});

test('a schedule that somebody else has made under such a name is not the agent’s', async () => {
  const { agent, shim } = await anAgent();
  const full = `agt-${agent.id.slice(4).toLowerCase()}-theirs`;
  const target = { agentId: agent.id, task: soon.task };
  await stack.call('PUT', `/v1/schedules/${full}`, { expression: 'rate(1 day)', target }, 201);
  expect(await shim.call('schedules/theirs', soon, 'PUT')).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect(await shim.call('schedules/theirs', undefined, 'DELETE')).toMatchObject({ status: 404 });
  expect(await stack.call('GET', `/v1/schedules/${full}`)).toMatchObject({ expression: 'rate(1 day)' });
});

test('what was refused does not count as one of its hundred', async () => {
  const { shim } = await anAgent();
  const past = { ...soon, expression: 'at(2020-01-01T00:00:00)' };
  for (let i = 0; i < 210; i++) expect((await shim.call(`schedules/old${i}`, past, 'PUT')).status).toBe(422);
  for (let i = 0; i <= 100; i++) await shim.call(`schedules/s${i}`, { ...soon, expression: 'rate(1 day)' }, 'PUT');
  expect((await shim.call('schedules/more', soon, 'PUT')).status).toBe(409);
});
