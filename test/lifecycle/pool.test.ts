import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;

beforeEach(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
});

afterEach(() => stack.close());

const standbys = () => stack.fleet.living.filter(({ agentId }) => agentId === '');
const full = (count: number) =>
  stack.until(() => standbys().filter(({ isWaiting }) => isWaiting).length === count, 180, `${count} standbys`);

test('a pool is filled, an agent takes one standby over at once, and the pool refills', async () => {
  await client.putTemplate('warm', { warmPool: 2, idleTimeoutSeconds: 60, env: { GREETING: 'hello' } });
  await full(2);
  const agent = await client.createAgent('warm');
  const before = stack.fleet.shims.length;
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'succeeded', 3);
  expect(stack.fleet.shims.slice(0, before).map(({ agentId }) => agentId)).toContain(agent.id);
  expect((await client.event(agent.id, 'agent.starting')).data).toMatchObject({ warm: true });
  await full(2);
  expect(stack.fleet.living).toHaveLength(3);
  await client.becomes(agent.id, 'paused');
  await stack.advance(300);
  expect(stack.fleet.living).toHaveLength(2);
  expect(await stack.bells()).toHaveLength(2);
});
