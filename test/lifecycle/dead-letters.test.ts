import { expect, test } from 'vitest';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

test('a dead letter that cannot be removed keeps nobody from being nudged', async () => {
  const agent = await client.createAgent('echo');
  const loseNudges = stack.aws.faults.addDelivery(({ target }) =>
    target.endsWith('.fifo') ? { copies: 0 } : undefined,
  );
  const task = await client.submit(agent.id, 'x');
  await stack.advance(30);
  loseNudges();
  const queueUrl = stack.functionNamed('sweep').environment.ROUSE_DEAD_LETTER_QUEUE_URLS!.split(',')[1]!;
  stack.aws.sqs.sendInternal(`arn:aws:sqs:us-east-1:000000000000:${queueUrl.split('/').at(-1)}`, 'no letter of ours');
  stack.aws.faults.add(({ operation }) =>
    operation === 'DeleteMessage' ? { kind: 'error', code: 'InternalFailure', status: 500 } : undefined,
  );
  expect(await client.ended(task.id, 900)).toMatchObject({ status: 'succeeded' });
});

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
