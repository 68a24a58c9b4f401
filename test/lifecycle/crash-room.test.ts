import { expect, test } from 'vitest';
import { codeOf } from '../../lib/domain/id.ts';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

/** Whatever reads or writes the rows of a room. */
const isOfRoom = (call: FunctionCall) => Buffer.from(call.request.body).includes('#room#');

test.each([
  ['before', 6],
  ['after', 5],
] as const)(
  'a launch that waits for room starts, and no place is lost, %s whichever AWS call a function dies',
  async (fate, least) => {
    const stack = await TestStack.start({ env: { ROUSE_MAX_RUNTIMES: '1' } });
    const client = new Client(stack);
    let most = 0;
    stack.fleet.onStart = () => {
      most = Math.max(most, stack.fleet.living.length);
      return true;
    };
    await client.putTemplate('echo', { idleTimeoutSeconds: 5 });
    await crashEverywhere(stack, fate, isOfRoom, least, async () => {
      const agents = [await client.createAgent('echo'), await client.createAgent('echo')];
      const tasks = await Promise.all(agents.map(({ id }) => client.submit(id, 'hello')));
      for (const task of tasks) await client.reaches(task.id, 'succeeded', 1500);
      for (const agent of agents) await client.becomes(agent.id, 'paused', 1500);
      await eventually(stack, 'an empty room', async () => {
        return stack.fleet.living.length === 0 && (await stack.bells()).length === 0;
      });
    });
    expect(most).toBe(1);
    await stack.close();
  },
  300_000,
);

test('no place is lost by a launch that is refused, after whichever AWS call of it the function dies', async () => {
  const stack = await TestStack.start({ env: { ROUSE_MAX_RUNTIMES: '1' } });
  const client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 5 });
  const isOfLaunch = ({ function: name }: FunctionCall) => name === 'launch';
  await crashEverywhere(stack, 'after', isOfLaunch, 8, async () => {
    let isRefused = false;
    stack.aws.ecs.launchFailure = () => {
      if (isRefused) return undefined;
      isRefused = true;
      return { reason: 'Capacity is unavailable at this time.' };
    };
    const { id } = await client.createAgent('echo');
    const task = await client.submit(id, 'hello');
    await client.reaches(task.id, 'succeeded', 120);
    await client.becomes(id, 'paused', 60);
  });
  await stack.close();
}, 300_000);

test('the place of a refused launch is found by the room when the word of it gets lost', async () => {
  const stack = await TestStack.start({ env: { ROUSE_MAX_RUNTIMES: '1' } });
  const client = new Client(stack);
  await client.putTemplate('echo');
  const agents = [await client.createAgent('echo'), await client.createAgent('echo')];
  stack.aws.ecs.launchFailure = () => ({ reason: 'Capacity is unavailable at this time.' });
  stack.crash = ({ function: name, request }) => {
    const isLast = name === 'launch' && request.headers['x-amz-target']?.endsWith('DeleteQueue');
    if (!isLast) return undefined;
    stack.crash = undefined;
    stack.aws.ecs.launchFailure = undefined;
    return 'after';
  };
  const [first, second] = agents;
  // Its message does not come again.
  stack.aws.faults.addDelivery(({ target, body }) => {
    const isOfFirst = /Launches/.test(target) && JSON.stringify(body).includes(codeOf(first!.id));
    return isOfFirst && stack.crash === undefined ? { copies: 0 } : undefined;
  });
  await client.submit(first!.id, 'x');
  await stack.until(() => stack.crash === undefined, 60);
  await stack.call('DELETE', `/v1/agents/${first!.id}`, undefined, 202);
  await client.submit(second!.id, 'x');
  await client.becomes(second!.id, 'running', 1500);
  await stack.close();
});
