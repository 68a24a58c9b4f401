import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { expect, test } from 'vitest';
import { withConflictRetries } from '../../lib/aws/transaction-conflicts.ts';

const named = (name: string, codes: string[] = []) =>
  Object.assign(new Error(name), { name, CancellationReasons: codes.map((Code) => ({ Code })) });
const conflict = named('TransactionConflictException');
const met = named('TransactionCanceledException', ['None', 'TransactionConflict']);

/** A client that fails with these errors, one after the other, and then answers. */
function clientThat(...errors: Error[]) {
  const slept: number[] = [];
  let calls = 0;
  const send = async () => {
    calls += 1;
    const error = errors.shift();
    if (error) throw error;
    return 'done';
  };
  const sleep = async (ms: number) => slept.push(ms);
  const client = withConflictRetries({ send } as unknown as DynamoDBDocumentClient, { sleep, random: () => 1 });
  return { ask: () => client.send({} as never), slept, calls: () => calls };
}

test('a call that meets a transaction is made again, after a while that doubles', async () => {
  const { ask, slept } = clientThat(conflict, met, conflict);
  expect(await ask()).toBe('done');
  expect(slept).toEqual([10, 20, 40]);
});

test('a transaction one of whose conditions failed is not, nor is anything else that went wrong', async () => {
  for (const error of [
    named('TransactionCanceledException', ['ConditionalCheckFailed', 'TransactionConflict']),
    named('ConditionalCheckFailedException'),
    named('ValidationException'),
  ]) {
    const { ask, calls } = clientThat(error);
    await expect(ask()).rejects.toBe(error);
    expect(calls()).toBe(1);
  }
});

test('it is given up after a second or two', async () => {
  const { ask, slept } = clientThat(...Array.from({ length: 20 }, () => conflict));
  await expect(ask()).rejects.toBe(conflict);
  expect(slept.reduce((sum, ms) => sum + ms)).toBe(1270);
});
