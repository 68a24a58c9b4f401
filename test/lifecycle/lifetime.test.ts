import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('mortal', { idleTimeoutSeconds: 3600, maxLifetimeSeconds: 300 });
  agent = await client.createAgent('mortal');
});

/** A program whose tasks take so long, each by the stack's clock. */
const takes = (seconds: number) => {
  stack.fleet.program = () =>
    new Promise((resolve) => stack.clock.at(stack.clock.now() + seconds * 1000, () => resolve('done')));
};

test('a runtime at the end of its life is replaced between tasks, and the queue goes on in the next one', async () => {
  takes(120);
  const tasks = [];
  for (let i = 0; i < 4; i++) tasks.push(await client.submit(agent.id, i));
  for (const task of tasks)
    expect(await client.ended(task.id, 900)).toMatchObject({ status: 'succeeded', attempt: 1, failures: 0 });
  // Three of 120 s fit in beside the one that was under way when the life of 300 s was over.
  expect(stack.fleet.shims).toHaveLength(2);
  expect(stack.fleet.shims[0]?.alive).toBe(false);
  expect((await client.event(agent.id, 'agent.stopping')).data.reason).toBe('its runtime reached its longest life');
});

test('a task that outlives the grace is handed back without blame, and done in the next runtime', async () => {
  stack.fleet.program = (task) => (task.fence === 1 && task.input === 'long' ? new Promise(() => {}) : 'done');
  const task = await client.submit(agent.id, 'long');
  const next = await client.submit(agent.id, 'next');
  await client.reaches(task.id, 'running');
  await stack.until(() => stack.fleet.shims[0]?.alive === false, 1000, 'the end of the first runtime');
  expect(await client.ended(task.id)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
  expect(await client.ended(next.id)).toMatchObject({ status: 'succeeded', attempt: 1, failures: 0 });
  expect(stack.fleet.shims).toHaveLength(2);
}, 30_000);

test('an idle runtime at the end of its life leaves, and none is started for nothing', async () => {
  takes(1);
  await client.ended((await client.submit(agent.id, 'x')).id);
  await client.becomes(agent.id, 'paused', 400);
  await stack.advance(600);
  expect(stack.fleet.shims).toHaveLength(1);
});

test('a runtime whose shim forgets its lifetime is told to stop after the grace', async () => {
  stack.fleet.program = (task) => (task.fence === 1 ? new Promise(() => {}) : 'done');
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  const enrolment = Reflect.get(stack.fleet.newest, 'enrolment') as { config: { maxLifetimeSeconds: number } };
  enrolment.config.maxLifetimeSeconds = 1_000_000;
  await stack.advance(850);
  expect(await client.task(task.id)).toMatchObject({ status: 'running', attempt: 1 });
  expect(await client.ended(task.id, 400)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
}, 30_000);
