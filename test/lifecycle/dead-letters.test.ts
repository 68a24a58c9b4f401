import { afterEach, beforeEach, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;

beforeEach(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

afterEach(() => stack.close());

test('an agent whose messages fail too often is looked at again when the failures end', async () => {
  const agent = await client.createAgent('echo');
  const mend = stack.aws.faults.add(({ service, input }) =>
    service === 'lambda' && String(input.LogicalId).includes('Dispatch')
      ? { kind: 'error', code: 'Broken' }
      : undefined,
  );
  const task = await client.submit(agent.id, 'x');
  // Three receives, a visibility time-out apart; then the sweep finds the message among the dead letters.
  await stack.advance(600);
  expect(await client.task(task.id)).toMatchObject({ status: 'queued' });
  expect(stack.logs.some((line) => line.includes('made due again after failures'))).toBe(true);
  mend();
  expect(await client.ended(task.id, 240)).toMatchObject({ status: 'succeeded' });
});
