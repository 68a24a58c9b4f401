import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { expect, test } from 'vitest';
import { eachRecord } from '../../lambdas/batch.ts';
import { makeLogger } from '../../lib/log.ts';

const record = (messageId: string, group: string) =>
  ({
    messageId,
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:work.fifo',
    body: '{}',
    attributes: { MessageGroupId: group },
  }) as unknown as SQSRecord;

test('a failed message of a FIFO queue holds up its own group only', async () => {
  const event: SQSEvent = {
    Records: [record('1', 'bad'), record('2', 'good'), record('3', 'bad'), record('4', 'good')],
  };
  const handled: string[] = [];
  const answer = await eachRecord(
    event,
    makeLogger({}, () => {}),
    async ({ messageId, attributes }) => {
      handled.push(messageId);
      if (attributes.MessageGroupId === 'bad') throw new Error('It can not be looked at.');
    },
  );
  expect(handled).toEqual(['1', '2', '4']);
  expect(answer.batchItemFailures.map((failure) => failure.itemIdentifier)).toEqual(['1', '3']);
});
