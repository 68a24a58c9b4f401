import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';
import type { FunctionCall } from '../support/stack.ts';
import { Adversary, usage } from './adversary-runtime.ts';

/** Budgets under programs, shims and moments that mean no good. */

freshStack();

const never = () => new Promise<never>(() => {});
const operationOf = ({ request }: FunctionCall) => request.headers['x-amz-target']?.split('.').at(-1);

async function anAgent(settings: object): Promise<AgentResource> {
  await client.putTemplate('spender', { idleTimeoutSeconds: 60, ...settings });
  return client.createAgent('spender');
}

const usedBy = async ({ id }: AgentResource) => {
  const { used } = (await client.agent(id)) as AgentResource & { used: { tokens: number; costUsd: number } };
  return used;
};

/** Each task spends what its input says. */
const spends = () => {
  stack.fleet.program = ({ id, input }, shim) => {
    shim.spend(id, { input: Number(input) });
    return input;
  };
};

test('tasks that say that they have spent more than there is leave an agent that can be read and ended', async () => {
  const agent = await anAgent({ budget: { costUsd: 5 } });
  spends();
  for (let n = 0; n < 2; n++) await client.ended((await client.submit(agent.id, Number.MAX_SAFE_INTEGER)).id);
  expect((await usedBy(agent)).tokens).toBeLessThanOrEqual(3e12);
  await stack.call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await client.becomes(agent.id, 'terminated');
});

test('attempts that say so and fail are tried again as often as others', async () => {
  const agent = await anAgent({ task: { maxAttempts: 3 } });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: Number.MAX_SAFE_INTEGER });
    throw new ProgramFailure('exit_1');
  };
  const task = await client.submit(agent.id, 'x');
  expect(await client.ended(task.id)).toMatchObject({ status: 'failed', failures: 3, error: { code: 'exit_1' } });
});

test('numbers that nothing can hold are refused, in heartbeats too', async () => {
  const agent = await anAgent({});
  let grip: { fence: number; place: string } | undefined;
  stack.fleet.program = (task) => {
    grip = task;
    return never();
  };
  const { id } = await client.submit(agent.id, 'x');
  await client.reaches(id, 'running');
  const { fence, place } = grip!;
  const adversary = new Adversary(stack, stack.fleet.newest);
  const answers = [2 ** 53, 1e300, 1e-200, -0, 0.1 + 0.2].map(async (inputTokens) => {
    const body = { fence, place, usage: { ...usage, inputTokens } };
    return (await adversary.call(`tasks/${id}/heartbeat`, body)).status;
  });
  expect(await Promise.all(answers)).toEqual([422, 422, 200, 200, 200]);
});

test('nothing is begun when two attempts that end at once have used up the budget together', async () => {
  const agent = await anAgent({ concurrency: 2, budget: { tokens: 1000 } });
  const go = Promise.withResolvers<void>();
  const begun: unknown[] = [];
  stack.fleet.program = async ({ id, input }, shim) => {
    begun.push(input);
    if (input === 'more') return never();
    await go.promise;
    shim.spend(id, { input: 500 });
    return input;
  };
  const tasks = [await client.submit(agent.id, 'a'), await client.submit(agent.id, 'b')];
  for (const { id } of tasks) await client.reaches(id, 'running');
  const more = await client.submit(agent.id, 'more');
  const both = Promise.withResolvers<void>();
  let ends = 0;
  stack.meanwhile = (call) => {
    if (call.function !== 'runtime' || operationOf(call) !== 'TransactWriteItems') return undefined;
    ends += 1;
    if (ends === 2) both.resolve();
    return ends > 2 ? undefined : both.promise;
  };
  go.resolve();
  await client.becomes(agent.id, 'paused');
  expect(begun.sort()).toEqual(['a', 'b']);
  expect(await usedBy(agent)).toMatchObject({ tokens: 1000 });
  expect(await client.task(more.id)).toMatchObject({ status: 'queued', failures: 0 });
});

test('an attempt costs what its container costs, whatever was changed that is not in force', async () => {
  const agent = await anAgent({ task: { heartbeatSeconds: 30, budget: { costUsd: 0.001 } }, budget: { costUsd: 1 } });
  stack.fleet.program = never;
  const { id } = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  await client.reaches(id, 'running');
  await stack.call('PATCH', `/v1/agents/${agent.id}`, { overrides: { concurrency: 100 } });
  const { usage: used } = (await client.ended(id, 1200)) as unknown as { usage: { costUsd: number } };
  expect(used.costUsd).toBeGreaterThan(0.001);
  expect((await usedBy(agent)).costUsd).toBe(used.costUsd);
});

test('the budget of an agent holds for a shim that knows of none', async () => {
  const agent = await anAgent({ task: { heartbeatSeconds: 30 }, budget: { costUsd: 0.001 } });
  stack.fleet.program = never;
  const { id } = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  await client.reaches(id, 'running');
  Object.assign(stack.fleet.newest, { budget: undefined });
  // 370 s of a quarter of a vCPU cost so much; reconcile looks every three minutes.
  await stack.until(async () => (await client.agent(agent.id)).held, 900, 'the hold');
  await client.becomes(agent.id, 'paused', 300);
  expect(await client.task(id)).toMatchObject({ status: 'queued', attempt: 1, failures: 0 });
  expect(stack.fleet.living).toEqual([]);
});

test('an agent that is given more while a claim is being refused goes on', async () => {
  const agent = await anAgent({ idleTimeoutSeconds: 600, budget: { tokens: 1000 } });
  spends();
  await client.ended((await client.submit(agent.id, 1000)).id);
  let reads = 0;
  stack.meanwhile = (call) => {
    if (call.function !== 'runtime' || operationOf(call) !== 'GetItem' || ++reads !== 2) return undefined;
    return (async () => {
      const overrides = { budget: { tokens: 5000 } };
      await stack.request('PATCH', `/v1/agents/${agent.id}`, { overrides });
      await stack.request('POST', `/v1/agents/${agent.id}/resume`, {});
    })();
  };
  const task = await client.submit(agent.id, 5);
  expect(await client.ended(task.id, 300)).toMatchObject({ status: 'succeeded' });
});

test('a task of an agent that was made for it alone fails, since nobody would give that agent more', async () => {
  await client.putTemplate('spender', { idleTimeoutSeconds: 60, budget: { tokens: 10 } });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: 11 });
    return never();
  };
  await stack.call('PUT', '/v1/workflows/alone', { steps: [{ id: 'one', template: 'spender' }] }, 201);
  const run = await stack.call<{ id: string }>('POST', '/v1/workflows/alone/runs', { input: 1 }, 202);
  const target = { template: 'spender', task: { input: 1 } };
  await stack.call('PUT', '/v1/schedules/alone', { expression: 'rate(5 minutes)', target }, 201);
  await stack.advance(3 * 300 + 60);
  expect(await stack.call('GET', `/v1/runs/${run.id}`)).toMatchObject({
    status: 'failed',
    steps: { one: { error: { code: 'budget_exceeded' } } },
  });
  const { items } = await stack.call<{ items: { outcome: string }[] }>('GET', '/v1/schedules/alone/fires');
  expect(items.map(({ outcome }) => outcome)).toEqual(['started', 'started', 'started']);
});

test('a write that meets the transaction of an end is made again', async () => {
  const agent = await anAgent({ budget: { tokens: 1000 } });
  let conflicts = 2;
  stack.aws.faults.add(({ operation, principal }) =>
    operation === 'UpdateItem' && principal?.endsWith('/api') && conflicts-- > 0
      ? { kind: 'error', code: 'TransactionConflictException', status: 400 }
      : undefined,
  );
  const patched = stack.call('PATCH', `/v1/agents/${agent.id}`, { overrides: { budget: { tokens: 5000 } } });
  await stack.until(() => conflicts < 0, 30, 'the third try');
  expect(await patched).toMatchObject({ overrides: { budget: { tokens: 5000 } } });
});

test('an attempt that ends while a claim looks is not counted twice', async () => {
  const agent = await anAgent({ concurrency: 3, task: { heartbeatSeconds: 30 }, budget: { tokens: 1000 } });
  const go = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  stack.fleet.program = async ({ id, input }, shim) => {
    if (input !== 'first') return input;
    shim.spend(id, { input: 600 });
    await go.promise;
    return input;
  };
  const first = await client.submit(agent.id, 'first');
  await client.reaches(first.id, 'running');
  // A heartbeat tells what it has used.
  await stack.advance(15);
  let isClaiming = false;
  stack.meanwhile = (call) => {
    if (call.function === 'runtime' && operationOf(call) === 'DeleteItem') ended.resolve();
    const isOfHead = Buffer.from(call.request.body).includes('"S":"head"');
    if (call.function !== 'runtime' || operationOf(call) !== 'GetItem' || !isOfHead || isClaiming) return undefined;
    isClaiming = true;
    go.resolve();
    return ended.promise;
  };
  const second = await client.submit(agent.id, 'second');
  expect(await client.ended(second.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(await client.agent(agent.id)).toMatchObject({ held: false, used: { tokens: 600 } });
});
