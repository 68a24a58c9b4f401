import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

const idleSeconds = 60;

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: idleSeconds, maxLifetimeSeconds: 86_400 });
  agent = await client.createAgent('echo', { start: true });
  await client.becomes(agent.id, 'running');
});

const lease = (seconds: number) =>
  stack.call<AgentResource & { activeUntil: string | null }>('POST', `/v1/agents/${agent.id}/activity`, { seconds });

/** The seconds until the agent has paused. */
const pausesAfter = (limitSeconds: number) => client.becomes(agent.id, 'paused', limitSeconds);

test('a task that takes long is no idle time: it counts from the end', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  stack.fleet.program = () => promise;
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  await stack.advance(5 * idleSeconds);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'running' });
  resolve('done');
  await client.reaches(task.id, 'succeeded');
  await stack.advance(idleSeconds - 5);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'running' });
  expect(await pausesAfter(30)).toBeLessThan(10);
});

test('asking, claiming and heartbeats are no activity: an idle agent pauses in time', async () => {
  for (let second = 0; second < idleSeconds - 10; second += 10) {
    await client.agent(agent.id);
    await stack.fleet.newest.post('claim', { slots: 1, running: [] });
    await stack.advance(10);
  }
  expect(await pausesAfter(30)).toBeLessThan(20);
});

test('a lease keeps an agent from idling, and the idle time counts from its end', async () => {
  const { activeUntil } = await lease(200);
  expect(Date.parse(activeUntil!) - stack.clock.now()).toBe(200_000);
  await stack.advance(200 + idleSeconds - 5);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'running', activeUntil });
  expect(await pausesAfter(30)).toBeLessThan(10);
  expect(await client.agent(agent.id)).toMatchObject({ activeUntil: null });
});

test('a lease of the driver counts like one of a client', async () => {
  const { until } = await stack.fleet.newest.post<{ until: string }>('activity', { seconds: 300 });
  expect(await client.agent(agent.id)).toMatchObject({ activeUntil: until });
  await stack.advance(300 + idleSeconds - 5);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'running' });
  expect(await pausesAfter(30)).toBeLessThan(10);
});

test('leases that nobody ends keep no agent alive for ever: four hours after its last task it pauses', async () => {
  await lease(3600);
  await stack.advance(30 * 60);
  await client.ended((await client.submit(agent.id, 'x')).id);
  const sinceMs = stack.clock.now();
  while ((await client.agent(agent.id)).status === 'running') {
    await lease(3600);
    await stack.advance(30 * 60);
  }
  await stack.advance(60);
  const paused = await client.event(agent.id, 'agent.paused');
  const hours = (Date.parse(paused.time) - sinceMs) / 3_600_000;
  expect(hours).toBeGreaterThan(4);
  expect(hours).toBeLessThan(4.1);
});

test('a lease wakes nobody', async () => {
  await pausesAfter(120);
  const refused = await stack.request('POST', `/v1/agents/${agent.id}/activity`, { seconds: 60 });
  expect(refused).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
  expect(refused.body.detail).toContain('starting, running');
  await stack.advance(60);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused' });
});

test('a lease is no hold: who asks for a pause gets it', async () => {
  await lease(3600);
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, {}, 202);
  expect(await pausesAfter(60)).toBeLessThan(10);
});

test('a lease that is taken twice, or whose answer is lost, is one', async () => {
  const first = await lease(600);
  expect(await lease(600)).toMatchObject({ activeUntil: first.activeUntil });
  stack.crash = ({ function: name, request }) =>
    name === 'api' && request.headers['x-amz-target']?.endsWith('.UpdateItem') ? 'after' : undefined;
  expect(await stack.request('POST', `/v1/agents/${agent.id}/activity`, { seconds: 900 })).toMatchObject({
    status: 500,
  });
  stack.crash = undefined;
  const again = await lease(900);
  expect(Date.parse(again.activeUntil!) - stack.clock.now()).toBe(900_000);
  await stack.advance(1);
  const events = (await client.events(agent.id)).filter(({ type }) => type === 'agent.kept_active');
  expect(events).toHaveLength(2);
});

test('an idle agent whose shim fell silent pauses all the same, and its container is stopped', async () => {
  await client.ended((await client.submit(agent.id, 'x')).id);
  const { newest } = stack.fleet;
  newest.mute = true;
  // The idle time, a look each three minutes, and the time that a shim has to stop by itself.
  expect(await pausesAfter(900)).toBeGreaterThan(idleSeconds);
  expect(newest.alive).toBe(false);
  expect(await client.task((await client.submit(agent.id, 'y')).id)).toMatchObject({ status: 'queued' });
  await client.becomes(agent.id, 'running');
});

test('an agent that works now and then is not taken for idle between its tasks', async () => {
  const { newest } = stack.fleet;
  for (let i = 0; i < 20; i++) {
    await client.ended((await client.submit(agent.id, i)).id);
    await stack.advance(idleSeconds - 10);
  }
  expect(stack.fleet.newest).toBe(newest);
  expect(await client.types(agent.id)).not.toContain('agent.stopping');
});
