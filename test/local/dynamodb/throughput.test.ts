import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { makeTable, refusal } from './support.ts';

const TableName = 'things';
const Key = { pk: { S: 'p' }, sk: { S: 's' } };
const text = (kib: number) => ({ S: 'x'.repeat(kib * 1024 - 100) });

async function makeSlowTable() {
  const { db, clock } = await makeTable({}, { throughput: { readUnits: 5, writeUnits: 10 } });
  const put = (kib: number) => db.send(new PutItemCommand({ TableName, Item: { ...Key, text: text(kib) } }));
  return { db, clock, put };
}

test('a table that has taken its units refuses writes until they have come back', async () => {
  const { clock, put } = await makeSlowTable();
  await put(10);
  expect(await refusal(put(1))).toContain('ThrottlingException: Throughput exceeds the current capacity');
  clock.step(clock.now() + 100);
  await put(1);
});

test('a write larger than what is left is taken, and paid for by those after it', async () => {
  const { clock, put } = await makeSlowTable();
  await put(9);
  await put(10);
  clock.step(clock.now() + 800);
  expect(await refusal(put(1))).toContain('ThrottlingException');
  clock.step(clock.now() + 200);
  await put(1);
});

test('reads have units of their own', async () => {
  const { db, put } = await makeSlowTable();
  await put(10);
  const get = () => db.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  await get();
  await get();
  expect(await refusal(get())).toContain('ThrottlingException');
});
