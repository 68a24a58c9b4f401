import { expect, test } from 'vitest';
import { codeOf } from '../../lib/domain/id.ts';
import type { AgentResource, TaskResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import type { FunctionCall } from '../support/stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

/** Whether a function is about to make this call with this text in it. */
function isCall(call: FunctionCall, name: string, operation: string, ...texts: string[]): boolean {
  const body = Buffer.from(call.request.body ?? '').toString();
  const called = call.request.headers['x-amz-target']?.split('.')[1];
  return call.function === name && called === operation && texts.every((text) => body.includes(text));
}

test('work that comes between the last look and the goodbye is started at once', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  let late: TaskResource | undefined;
  stack.meanwhile = async (call) => {
    if (late || !isCall(call, 'runtime', 'UpdateItem', 'agent.paused')) return;
    stack.meanwhile = undefined;
    late = await client.submit(agent.id, 'late');
    // The stream's nudge finds the agent still stopping.
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await client.becomes(agent.id, 'paused');
  expect(await client.reaches(late!.id, 'succeeded')).toBeLessThan(20);
});

test('a dead runtime leaves no bell, whenever the function that finds it dies', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  let died = 0;
  stack.crash = (call) => {
    if (died > 0 || !isCall(call, 'dispatch', 'UpdateItem', 'agent.runtime_lost')) return undefined;
    died += 1;
    return 'after';
  };
  stack.fleet.newest.die(137);
  await client.becomes(agent.id, 'paused');
  await stack.advance(600);
  expect(died).toBe(1);
  expect(await stack.bells()).toEqual([]);
});

test('a task whose claim was lost with the answer of another task does not cost the runtime its life', async () => {
  const open: (() => void)[] = [];
  stack.fleet.program = (task) => new Promise((resolve) => open.push(() => resolve(task.input)));
  const tasks = [];
  for (const input of ['one', 'two', 'three']) {
    tasks.push(await client.submit(agent.id, input));
    await stack.advance(1);
  }
  const [one, two, three] = tasks;
  await client.reaches(one!.id, 'running');
  let died = 0;
  stack.crash = (call) => {
    if (died > 0 || !isCall(call, 'runtime', 'UpdateItem', two!.id, 'task.started')) return undefined;
    died += 1;
    return 'after';
  };
  open[0]!();
  await stack.advance(200);
  open[1]!();
  await stack.advance(200);
  open[2]!();
  await client.ended(three!.id, 200);
  expect(died).toBe(1);
  for (const task of tasks) expect(await client.task(task.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(stack.fleet.shims).toHaveLength(1);
});

test('an agent that can not be looked at does not keep others waiting', async () => {
  const other = await client.createAgent('echo');
  stack.aws.faults.add(({ operation, input, principal }) =>
    operation === 'GetItem' && principal?.includes('dispatch') && JSON.stringify(input).includes(codeOf(agent.id))
      ? { kind: 'error', code: 'InternalServerError' }
      : undefined,
  );
  await client.submit(agent.id, 'x');
  const task = await client.submit(other.id, 'y');
  expect(await client.reaches(task.id, 'succeeded')).toBeLessThan(20);
});

test('a cancel is enforced on an agent that waits for its tasks before it stops', async () => {
  stack.fleet.program = () => new Promise(() => {});
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  // A task is claimed after the pause has seen that nothing runs, and before it is committed.
  let task: TaskResource | undefined;
  stack.meanwhile = async (call) => {
    if (!isCall(call, 'api', 'UpdateItem', 'agent.stopping')) return;
    stack.meanwhile = undefined;
    task = await client.submit(agent.id, 'x');
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true }, 202);
  await stack.advance(1);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'stopping', tasks: { running: 1 } });

  // The shim goes on and on with it, and says so.
  Object.assign(stack.fleet.newest, { cancel: () => {} });
  await stack.call('POST', `/v1/tasks/${task!.id}/cancel`, undefined, 202);
  await client.reaches(task!.id, 'cancelled', 400);
  expect(stack.fleet.living).toEqual([]);
});
