import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

/** Whatever reads or writes the rows of a room. */
const isOfRoom = (call: FunctionCall) => Buffer.from(call.request.body).includes('#room#');

test.each([
  ['before', 10],
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
