import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

/** Within this time a task has ended, whatever happened. */
const boundSeconds = 400;
/** Who takes part in launches and takeovers; the others do here what they do at any wake. */
const isOfPool = (call: FunctionCall) => ['dispatch', 'runtime', 'launch', 'task-events'].includes(call.function);

test.each([
  ['before', 10],
  ['after', 15],
] as const)(
  'a wake from a pool ends well, and the pool is full again, %s whichever AWS call a function dies',
  async (fate, least) => {
    const stack = await TestStack.start();
    const client = new Client(stack);
    /** One standby, its bell, and nothing else. */
    const full = () =>
      eventually(stack, 'a full pool', async () => {
        const { living } = stack.fleet;
        return living.length === 1 && living[0]!.isWaiting && (await stack.bells()).length === 1;
      });
    await client.putTemplate('warm', { warmPool: 1, idleTimeoutSeconds: 5 });
    await full();
    await crashEverywhere(stack, fate, isOfPool, least, async () => {
      const agent = await client.createAgent('warm');
      const task = await client.submit(agent.id, 'hello');
      await client.reaches(task.id, 'succeeded', boundSeconds);
      await client.becomes(agent.id, 'paused', boundSeconds);
      await full();
      const types = (await client.events(agent.id)).filter(({ taskId }) => taskId === task.id).map(({ type }) => type);
      expect(types.filter((type) => type === 'task.succeeded')).toHaveLength(1);
    });
    await stack.close();
  },
  300_000,
);
