import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

/** A program that runs until it is told to end. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<string>();
  return { promise, open: () => resolve('done') };
}

test('pausing a busy agent is refused, and with force its task goes back to the queue', async () => {
  const { promise, open } = gate();
  stack.fleet.program = () => promise;
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');

  const refused = await stack.request('POST', `/v1/agents/${agent.id}/pause`, {});
  expect(refused).toMatchObject({ status: 409, body: { code: 'tasks_running', taskIds: [task.id] } });

  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { force: true, hold: true }, 202);
  await client.becomes(agent.id, 'paused');
  expect(await client.agent(agent.id)).toMatchObject({ held: true, tasks: { queued: 1, running: 0 } });
  expect(stack.fleet.living).toEqual([]);

  // Held, it does not wake for work; resumed, it goes on with it, and nobody is to blame.
  await stack.advance(300);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused', statusReason: 'held' });
  stack.fleet.program = () => 'second time';
  open();
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  expect(await client.ended(task.id)).toMatchObject({
    status: 'succeeded',
    output: 'second time',
    attempt: 2,
    failures: 0,
  });
});

test('an agent that is asked to pause finishes what runs first', async () => {
  const { promise, open } = gate();
  stack.fleet.program = () => promise;
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true }, 202);
  await client.becomes(agent.id, 'paused');
  open();
  expect(await client.types(agent.id)).toEqual(
    expect.arrayContaining([
      'agent.resumed',
      'agent.starting',
      'agent.running',
      'agent.held',
      'agent.stopping',
      'agent.paused',
    ]),
  );
});

test('a hundred tasks for a paused agent start one runtime', async () => {
  const tasks = await Promise.all(Array.from({ length: 100 }, (_, i) => client.submit(agent.id, i)));
  await stack.until(async () => (await client.agent(agent.id)).tasks.queued === 0, 30, 'an empty queue');
  expect(stack.fleet.shims).toHaveLength(1);
  for (const task of tasks) expect(await client.task(task.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
});

test('a queued task is cancelled at once', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true }, 202);
  const task = await client.submit(agent.id, 'x');
  expect(await stack.call('POST', `/v1/tasks/${task.id}/cancel`, undefined, 202)).toMatchObject({
    status: 'cancelled',
  });
  expect(await client.agent(agent.id)).toMatchObject({ tasks: { queued: 0, running: 0 } });
});

test('a running task is cancelling until its processes are gone', async () => {
  stack.fleet.program = () => gate().promise;
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  expect(await stack.call('POST', `/v1/tasks/${task.id}/cancel`, undefined, 202)).toMatchObject({
    status: 'cancelling',
  });
  expect(await client.ended(task.id)).toMatchObject({
    status: 'cancelled',
    error: { code: 'cancelled', message: 'The task was cancelled: its processes have ended.' },
    usage: { costUsd: expect.any(Number) },
  });
  const cancelled = await client.event(agent.id, 'task.cancelled');
  expect(cancelled.data).toMatchObject({ proof: 'its processes have ended' });
});

test('a task whose shim is mute is cancelled when ECS has stopped the container', async () => {
  stack.fleet.program = () => gate().promise;
  const task = await client.submit(agent.id, 'x');
  const other = await client.submit(agent.id, 'y');
  await client.reaches(task.id, 'running');
  stack.fleet.newest.mute = true;
  await stack.call('POST', `/v1/tasks/${task.id}/cancel`, undefined, 202);
  await stack.advance(5);
  expect(await client.task(task.id)).toMatchObject({ status: 'cancelling' });
  stack.fleet.program = () => 'fine';
  expect(await client.ended(task.id, 400)).toMatchObject({ status: 'cancelled' });
  expect(stack.fleet.shims[0]?.alive).toBe(false);
  expect(await client.ended(other.id)).toMatchObject({ status: 'succeeded', failures: 0 });
});

test('a task that its shim never heard of is cancelled without ending what else runs', async () => {
  stack.fleet.onStart = (shim) => {
    shim.losesTasks = true;
    return true;
  };
  agent = await client.createAgent('echo', { overrides: { idleTimeoutSeconds: 600 } });
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  await stack.call('POST', `/v1/tasks/${task.id}/cancel`, undefined, 202);
  expect(await client.ended(task.id)).toMatchObject({ status: 'cancelled' });
  expect((await client.event(agent.id, 'task.cancelled')).data).toMatchObject({
    proof: 'its runtime never heard of it',
  });
  expect(stack.fleet.living).toHaveLength(1);
});

test('a task that its shim never heard of comes again', async () => {
  stack.fleet.onStart = (shim) => {
    shim.losesTasks = true;
    return true;
  };
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  stack.fleet.newest.losesTasks = false;
  expect(await client.ended(task.id, 40)).toMatchObject({ status: 'succeeded', attempt: 1 });
});

test('a task under which every runtime dies is given up in the end', async () => {
  stack.fleet.program = (_, shim) =>
    new Promise(() => stack.clock.at(stack.clock.now() + 200_000, () => shim.die(137)));
  const task = await client.submit(agent.id, 'x');
  const ended = await client.ended(task.id, 3600);
  expect(ended).toMatchObject({ status: 'failed', failures: 0, attempt: 10, error: { code: 'runtime_lost' } });
  await client.becomes(agent.id, 'paused');
});

test('a failing task is tried again by the policy, to the second', async () => {
  const startedAt: number[] = [];
  stack.fleet.program = () => {
    startedAt.push(stack.clock.now());
    throw new ProgramFailure('exit_1', 'no luck');
  };
  const task = await client.submit(agent.id, 'x');
  expect(await client.ended(task.id)).toMatchObject({
    status: 'failed',
    attempt: 3,
    failures: 3,
    error: { code: 'exit_1', message: 'no luck' },
  });
  const gaps = startedAt.slice(1).map((timeMs, i) => Math.round((timeMs - startedAt[i]!) / 1000));
  expect(gaps).toEqual([1, 2]);
});

test('a retried task is a new one that knows the old', async () => {
  stack.fleet.program = () => {
    throw new ProgramFailure('exit_1');
  };
  const task = await client.submit(agent.id, 'x', { maxAttempts: 1 });
  await client.ended(task.id);
  stack.fleet.program = () => 'fine';
  const again = await stack.call<{ id: string; retryOf: string }>('POST', `/v1/tasks/${task.id}/retry`, undefined, 202);
  expect(again.retryOf).toBe(task.id);
  expect(await client.ended(again.id)).toMatchObject({ status: 'succeeded', output: 'fine' });
  expect(await stack.request('POST', `/v1/tasks/${again.id}/retry`)).toMatchObject({
    status: 409,
    body: { code: 'illegal_transition' },
  });
});

test('a terminated agent ends its tasks, its container, its bell and its files', async () => {
  stack.fleet.program = () => gate().promise;
  const running = await client.submit(agent.id, 'x');
  const queued = await client.submit(agent.id, 'y');
  await client.reaches(running.id, 'running');
  await stack.call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  expect(await client.ended(running.id)).toMatchObject({ status: 'cancelled' });
  expect(await client.ended(queued.id)).toMatchObject({ status: 'cancelled' });
  await client.becomes(agent.id, 'terminated');
  await stack.advance(300);
  expect(stack.fleet.living).toEqual([]);
  expect(await stack.bells()).toEqual([]);
  const refused = await stack.request('POST', `/v1/agents/${agent.id}/tasks`, { input: 'z' });
  expect(refused).toMatchObject({ status: 409, body: { code: 'agent_terminated' } });
  await stack.call('DELETE', '/v1/templates/echo', undefined, 204);
});

test('a template in use is not deleted', async () => {
  const refused = await stack.request('DELETE', '/v1/templates/echo');
  expect(refused).toMatchObject({ status: 409, body: { code: 'template_in_use' } });
});

test('a task with notBefore waits to the second, on a paused agent too', async () => {
  const atMs = stack.clock.now() + 90_000;
  const task = await client.submit(agent.id, 'x', { notBefore: new Date(atMs).toISOString() });
  await stack.advance(85);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused' });
  const ended = await client.ended(task.id, 20);
  expect(Date.parse(ended.startedAt!) - atMs).toBeLessThan(3000);
  expect(Date.parse(ended.startedAt!)).toBeGreaterThanOrEqual(atMs);
});

test('a task that is not started in its time expires, on a held agent too', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true }, 202);
  const task = await client.submit(agent.id, 'x', { expiresInSeconds: 30 });
  expect(await client.ended(task.id, 120)).toMatchObject({ status: 'expired', error: { code: 'expired' } });
});

test('priority is a head start in the queue', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true }, 202);
  const order: unknown[] = [];
  stack.fleet.program = (task) => void order.push(task.input);
  await client.submit(agent.id, 'late', { priority: -60 });
  await client.submit(agent.id, 'normal');
  await client.submit(agent.id, 'early', { priority: 60 });
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await stack.until(() => order.length === 3, 30);
  expect(order).toEqual(['early', 'normal', 'late']);
});

test('an agent that is created with start has a runtime without work, and pauses when idle', async () => {
  const eager = await client.createAgent('echo', { start: true });
  await client.becomes(eager.id, 'running');
  await client.becomes(eager.id, 'paused', 90);
});
