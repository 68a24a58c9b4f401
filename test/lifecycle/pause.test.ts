import { expect, test } from 'vitest';
import { Client, type TaskResource } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

const idleSeconds = 45;

test('work that arrives at any moment of an idle pause is done at once', async () => {
  const stack = await TestStack.start();
  const client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: idleSeconds });
  const ways = new Set<string>();
  try {
    for (let moment = 1, reached = true; reached; moment++) {
      const { id } = await client.createAgent('echo', { start: true });
      await client.becomes(id, 'running');
      await stack.advance(idleSeconds - 3);
      let calls = 0;
      let submitted: Promise<TaskResource> | undefined;
      stack.meanwhile = ({ function: name }) => {
        if (submitted || name !== 'runtime' || ++calls !== moment) return undefined;
        submitted = client.submit(id, `at ${moment}`);
        return submitted.then(() => {});
      };
      await stack.advance(10);
      stack.meanwhile = undefined;
      reached = submitted !== undefined;
      if (!submitted) continue;
      const task = await submitted;
      expect(await client.ended(task.id, 60), `call ${moment}`).toMatchObject({ status: 'succeeded', attempt: 1 });
      await stack.advance(1);
      const types = await client.types(id);
      ways.add(types.includes('agent.paused') ? 'woken again' : 'went on');
      await stack.call('DELETE', `/v1/agents/${id}`, undefined, 202);
    }
    // Before the look at the queue that follows `stopping`, and after it.
    expect([...ways].sort()).toEqual(['went on', 'woken again']);
  } finally {
    await stack.close();
  }
});
