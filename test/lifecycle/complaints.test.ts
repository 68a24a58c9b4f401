import { expect, test } from 'vitest';
import { throttled } from '../../local/faults.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

/** What users of other systems complain about, each as a promise of this one. */

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60, task: { heartbeatSeconds: 30 } });
  agent = await client.createAgent('echo');
});

const never = () => new Promise<never>(() => {});
const cancel = (taskId: string) => stack.call('POST', `/v1/tasks/${taskId}/cancel`, undefined, 202);
const loseEvents = () =>
  stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));

async function runningForEver() {
  stack.fleet.program = never;
  const task = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  await client.reaches(task.id, 'running');
  return task;
}

test('a cancelled task leaves nothing running and never starts again', async () => {
  const task = await runningForEver();
  stack.fleet.newest.mute = true;
  await cancel(task.id);
  await client.reaches(task.id, 'cancelled', 400);
  expect(stack.fleet.living).toEqual([]);
  stack.fleet.program = () => 'started again';
  await stack.advance(300);
  expect(await client.task(task.id)).toMatchObject({ status: 'cancelled', attempt: 1, output: null });
});

test('a cancel ends though the container is long gone and nobody told', async () => {
  loseEvents();
  const task = await runningForEver();
  stack.fleet.newest.die(137);
  await cancel(task.id);
  await client.reaches(task.id, 'cancelled', 400);
  expect((await client.event(agent.id, 'task.cancelled')).data).toMatchObject({
    proof: expect.stringContaining('ECS stopped its task'),
  });
});

test('a task that is being cancelled holds its slot until it is dead, and not a moment longer', async () => {
  const task = await runningForEver();
  stack.fleet.newest.mute = true;
  stack.fleet.program = () => 'done';
  const next = await client.submit(agent.id, 'y');
  await cancel(task.id);
  await client.reaches(task.id, 'cancelling', 5);
  expect(await client.task(next.id)).toMatchObject({ status: 'queued' });
  await client.reaches(task.id, 'cancelled', 400);
  expect(await client.ended(next.id, 60)).toMatchObject({ status: 'succeeded', attempt: 1 });
});

test('a stop that is throttled is repeated until ECS confirms it', async () => {
  const task = await runningForEver();
  const { newest } = stack.fleet;
  newest.mute = true;
  let refusals = 0;
  const mend = stack.aws.faults.add(({ operation }) => {
    if (operation !== 'StopTask') return undefined;
    refusals += 1;
    return { ...throttled(), code: 'ServerException' };
  });
  await cancel(task.id);
  await stack.advance(300);
  expect(refusals).toBeGreaterThan(0);
  expect(await client.task(task.id)).toMatchObject({ status: 'cancelling' });
  expect(newest.alive).toBe(true);
  mend();
  await client.reaches(task.id, 'cancelled', 400);
  expect(newest.alive).toBe(false);
});

test('a container that boots and never enrols is replaced; its work is not lost', async () => {
  stack.fleet.onStart = (shim) => stack.fleet.shims.indexOf(shim) > 0;
  const task = await client.submit(agent.id, 'x');
  expect(await client.ended(task.id, 180)).toMatchObject({ status: 'succeeded', attempt: 1 });
  await stack.advance(300);
  expect(stack.fleet.shims[0]?.alive).toBe(false);
});

test('a task that takes long, and heartbeats, is run once', async () => {
  stack.fleet.program = (_, shim) =>
    new Promise((resolve) => stack.clock.at(stack.clock.now() + 600_000, () => resolve(shim.runtimeId)));
  const task = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  await stack.advance(570);
  expect(await client.task(task.id)).toMatchObject({ status: 'running', attempt: 1 });
  expect(await client.ended(task.id, 60)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(stack.fleet.shims).toHaveLength(1);
});

test('whoever cancels what has ended is told how it ended', async () => {
  const task = await client.submit(agent.id, 'x');
  await client.ended(task.id);
  const { detail } = await stack.call<{ detail: string }>('POST', `/v1/tasks/${task.id}/cancel`, undefined, 409);
  expect(detail).toContain('succeeded');
});

test('a wake that is throttled for minutes looks like a wake', async () => {
  const mend = stack.aws.faults.add(({ operation }) =>
    operation === 'RunTask' ? { ...throttled(), code: 'ServerException' } : undefined,
  );
  const task = await client.submit(agent.id, 'x');
  await stack.advance(150);
  expect(await client.agent(agent.id)).toMatchObject({
    status: 'starting',
    statusReason: expect.stringMatching(/waiting/),
  });
  mend();
  expect(await client.ended(task.id, 400)).toMatchObject({ status: 'succeeded', failures: 0 });
});

test('pausing is no crash, however often', async () => {
  for (let i = 0; i < 7; i++) {
    expect(await client.ended((await client.submit(agent.id, i)).id)).toMatchObject({ status: 'succeeded' });
    await stack.call('POST', `/v1/agents/${agent.id}/pause`, {}, 202);
    await client.becomes(agent.id, 'paused');
  }
  expect(await client.types(agent.id)).not.toContain('agent.runtime_lost');
});

test('no runtime lives for ever, whatever its program does', async () => {
  await client.putTemplate('short', { maxLifetimeSeconds: 60, idleTimeoutSeconds: 60 });
  agent = await client.createAgent('short');
  const task = await runningForEver();
  const { newest } = stack.fleet;
  newest.mute = true;
  // Its lease is kept by nobody, its life by no one: both ways end it.
  await stack.advance(1000);
  expect(newest.alive).toBe(false);
  expect((await client.task(task.id)).attempt).toBeGreaterThan(1);
});
