import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';
import type { FunctionCall } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

/** What tasks and agents may use: hard limits, also when runtimes die, lie or answer late. */

freshStack();

const never = () => new Promise<never>(() => {});

/** Each task spends what its input says. */
const spends = () => {
  stack.fleet.program = ({ id, input }, shim) => {
    shim.spend(id, { input: Number(input) });
    return input;
  };
};

async function anAgent(budget: object, settings: object = {}): Promise<AgentResource & { used: object }> {
  await client.putTemplate('spender', { idleTimeoutSeconds: 60, budget, ...settings });
  return client.createAgent('spender') as Promise<AgentResource & { used: object }>;
}

const usedBy = async ({ id }: AgentResource) => ((await client.agent(id)) as AgentResource & { used: object }).used;
const resume = ({ id }: AgentResource, status: number) =>
  stack.call<{ code: string; detail: string }>('POST', `/v1/agents/${id}/resume`, {}, status);
const raise = ({ id }: AgentResource, tokens: number) =>
  stack.call('PATCH', `/v1/agents/${id}`, { overrides: { budget: { tokens } } });

/** A task of 30 s of lease whose container dies when a heartbeat has told what it has used. */
async function diesAfterHeartbeat({ id }: AgentResource) {
  const task = await client.submit(id, 'x', { timeoutSeconds: 86_400 });
  await client.reaches(task.id, 'running');
  await stack.advance(15);
  stack.fleet.newest.die(137);
  return task;
}

test('a task that spends more than its budget ends at once, and is not tried again', async () => {
  const agent = await anAgent({}, { task: { budget: { tokens: 1000, costUsd: 1 } } });
  spends();
  const task = await client.ended((await client.submit(agent.id, 1001)).id);
  expect(task).toMatchObject({
    status: 'failed',
    attempt: 1,
    error: { code: 'budget_exceeded', message: expect.stringContaining('1001 of 1000 tokens') },
    usage: { inputTokens: 1001 },
    budget: { tokens: 1000, costUsd: 1 },
  });
  expect(await client.ended((await client.submit(agent.id, 1000)).id)).toMatchObject({ status: 'succeeded' });
});

test('the budget of a submission goes over that of the template, field by field', async () => {
  const agent = await anAgent({}, { task: { budget: { tokens: 1000, costUsd: 1 } } });
  spends();
  const task = await client.submit(agent.id, 2000, { budget: { tokens: 5000 } });
  expect(await client.ended(task.id)).toMatchObject({ status: 'succeeded', budget: { tokens: 5000, costUsd: 1 } });
});

test('attempts share one budget, and one of them is told what those before have used', async () => {
  const agent = await anAgent({}, { task: { maxAttempts: 10, budget: { tokens: 1000 } } });
  const left: unknown[] = [];
  stack.fleet.program = ({ id, budget }, shim) => {
    left.push(budget?.used.tokens);
    shim.spend(id, { output: 400 });
    throw new ProgramFailure('exit_1', 'no luck');
  };
  const task = await client.ended((await client.submit(agent.id, 'x')).id);
  expect(left).toEqual([0, 400, 800]);
  expect(task).toMatchObject({ status: 'failed', attempt: 3, error: { code: 'budget_exceeded' } });
});

test('what an attempt has used counts when its container dies, as far as its heartbeats told', async () => {
  const agent = await anAgent({}, { task: { heartbeatSeconds: 30, budget: { tokens: 1000 } } });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: 600 });
    return never();
  };
  const task = await diesAfterHeartbeat(agent);
  // The second attempt needs no more than what the first has left.
  const ended = await client.ended(task.id, 600);
  expect(ended).toMatchObject({ status: 'failed', attempt: 2, error: { code: 'budget_exceeded' } });
  expect(ended).toMatchObject({ usage: { inputTokens: 1200 } });
});

test('what an attempt has used counts when Spot takes its container back', async () => {
  const agent = await anAgent({}, { task: { budget: { tokens: 1000 } } });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: 600 });
    return never();
  };
  const task = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  await client.reaches(task.id, 'running');
  stack.fleet.newest.signal('SIGTERM');
  const ended = await client.ended(task.id, 600);
  expect(ended).toMatchObject({ status: 'failed', attempt: 2, usage: { inputTokens: 1200 } });
});

test('a container that costs more than the budget is ended by the clock, though its program says nothing', async () => {
  const agent = await anAgent({}, { task: { heartbeatSeconds: 30, budget: { costUsd: 0.001 } } });
  stack.fleet.program = never;
  const task = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  const ended = await client.ended(task.id, 900);
  expect(ended).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'budget_exceeded' } });
  const { costUsd } = (ended as unknown as { usage: { costUsd: number } }).usage;
  // One heartbeat more than the budget, at most.
  expect(costUsd).toBeGreaterThan(0.001);
  expect(costUsd).toBeLessThan(0.0011);
});

test('a shim that knows of no budgets is told by the answer to its heartbeat', async () => {
  const agent = await anAgent({}, { task: { heartbeatSeconds: 30, budget: { costUsd: 0.001 } } });
  stack.fleet.program = (task) => {
    task.budget = undefined;
    return never();
  };
  const task = await client.submit(agent.id, 'x', { timeoutSeconds: 86_400 });
  expect(await client.ended(task.id, 900)).toMatchObject({
    status: 'failed',
    attempt: 1,
    error: { code: 'budget_exceeded', message: expect.stringContaining('of $0.001') },
  });
});

test('a task that is submitted again has a budget of its own', async () => {
  const agent = await anAgent({}, { task: { budget: { tokens: 1000 } } });
  spends();
  const { id } = await client.ended((await client.submit(agent.id, 1001)).id);
  const again = await stack.call<{ id: string }>('POST', `/v1/tasks/${id}/retry`, {}, 202);
  expect(await client.ended(again.id)).toMatchObject({
    error: { code: 'budget_exceeded', message: expect.stringContaining('1001 of 1000') },
    budget: { tokens: 1000 },
  });
});

test('steps of workflows and schedules give their tasks budgets', async () => {
  const agent = await anAgent({});
  spends();
  const budget = { tokens: 10 };
  const step = { id: 'spend', agent: agent.id, input: 11, budget, output: { type: 'json' } };
  await stack.call('PUT', '/v1/workflows/spending', { steps: [step] }, 201);
  await stack.call('POST', '/v1/workflows/spending/runs', { input: null }, 202);
  const target = { agentId: agent.id, task: { input: 12, budget } };
  await stack.call('PUT', '/v1/schedules/spending', { expression: 'rate(1 day)', target }, 201);
  await stack.call('POST', '/v1/schedules/spending/trigger', {}, 202);
  const failed = async () =>
    (await stack.call<{ items: object[] }>('GET', `/v1/agents/${agent.id}/tasks?status=failed`)).items;
  await stack.until(async () => (await failed()).length === 2, 120, 'both ends');
  for (const task of await failed()) expect(task).toMatchObject({ budget, error: { code: 'budget_exceeded' } });
});

test('an agent that has used up its budget is held, keeps its work, and goes on with a larger one', async () => {
  const agent = await anAgent({ tokens: 1000 });
  spends();
  const tasks = [];
  for (const input of [400, 600, 5]) {
    tasks.push(await client.submit(agent.id, input));
    stack.clock.step(stack.clock.now() + 1);
  }
  await client.becomes(agent.id, 'paused');
  expect(await client.agent(agent.id)).toMatchObject({
    held: true,
    statusReason: expect.stringContaining('it has used 1000 of 1000 tokens'),
    used: { tokens: 1000 },
    tasks: { queued: 1, running: 0 },
  });
  expect(await client.task(tasks[2]!.id)).toMatchObject({
    status: 'queued',
    statusReason: expect.stringContaining('its agent is held: it has used 1000 of 1000 tokens'),
  });
  const launches = stack.fleet.shims.length;
  tasks.push(await client.submit(agent.id, 7));
  await stack.advance(900);
  expect(stack.fleet.shims).toHaveLength(launches);

  expect(await resume(agent, 409)).toMatchObject({
    code: 'budget_exceeded',
    detail: expect.stringContaining('1000 of 1000 tokens'),
  });
  await raise(agent, 2000);
  expect(await client.agent(agent.id)).toMatchObject({ budget: { tokens: 2000 } });
  await resume(agent, 202);
  for (const { id } of tasks) expect(await client.ended(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(await usedBy(agent)).toMatchObject({ tokens: 1012 });
});

test('a task that runs when its agent has spent everything goes back to the queue without blame', async () => {
  const agent = await anAgent({ tokens: 1000 }, { concurrency: 2 });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: 501 });
    return never();
  };
  const tasks = [await client.submit(agent.id, 'a'), await client.submit(agent.id, 'b')];
  await client.becomes(agent.id, 'paused', 300);
  for (const { id } of tasks)
    expect(await client.task(id)).toMatchObject({ status: 'queued', attempt: 1, failures: 0 });
  expect(await usedBy(agent)).toMatchObject({ tokens: 1002 });
  expect(stack.fleet.living).toEqual([]);
});

test('two agents that answer each other for ever stop when one of them has spent its budget', async () => {
  const agents = [await anAgent({ tokens: 10 }), await anAgent({ tokens: 10 })];
  stack.fleet.program = async ({ id, fence, place }, shim) => {
    shim.spend(id, { output: 1 });
    const to = agents.find((agent) => agent.id !== shim.agentId)!.id;
    await shim.post('messages', { to, body: 'and you?', taskId: id, fence, place }, `${id}-${fence}`);
  };
  await client.submit(agents[0]!.id, 'begin');
  await stack.until(async () => (await client.agent(agents[0]!.id)).held, 600, 'the end of the talk');
  await stack.advance(300);
  expect(stack.fleet.living).toEqual([]);
  const used = await Promise.all(agents.map(usedBy));
  expect(used).toMatchObject([{ tokens: 10 }, { tokens: 10 }]);
});

test('an agent whose runtime dies with its budget spent is not started for it again', async () => {
  const agent = await anAgent({ tokens: 100 }, { task: { heartbeatSeconds: 30 } });
  stack.fleet.program = ({ id }, shim) => {
    shim.spend(id, { input: 100 });
    return never();
  };
  const task = await diesAfterHeartbeat(agent);
  await stack.until(async () => (await client.agent(agent.id)).held, 600, 'the hold');
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused', used: { tokens: 100 } });
  expect(stack.fleet.shims).toHaveLength(1);
  expect(await client.task(task.id)).toMatchObject({ status: 'queued', attempt: 1 });
});

/** The writes of the functions that a shim and the clock bring about. */
const isOfWork = ({ function: name }: FunctionCall) => name === 'runtime' || name === 'dispatch';

test.each([
  ['before', 5],
  ['after', 10],
] as const)(
  'each attempt is charged once, when functions die %s each call that they make',
  async (fate, least) => {
    const agent = await anAgent({ tokens: 1_000_000 });
    spends();
    let spent = 0;
    await crashEverywhere(stack, fate, isOfWork, least, async (aside) => {
      const { id } = await aside(() => client.submit(agent.id, 3));
      await eventually(stack, id, async () => (await aside(() => client.task(id))).status === 'succeeded');
      const { attempt } = await aside(() => client.task(id));
      spent += 3 * attempt;
      await eventually(stack, 'the pause', async () => (await aside(() => client.agent(agent.id))).status === 'paused');
      expect(await aside(() => usedBy(agent))).toMatchObject({ tokens: spent });
    });
  },
  120_000,
);
