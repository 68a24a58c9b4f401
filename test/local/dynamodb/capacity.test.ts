import {
  type CreateTableCommandInput,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { itemSize, valueSize } from '../../../local/services/dynamodb/size.ts';
import { makeTable, refusal } from './support.ts';

const TableName = 'things';
const Key = { pk: { S: 'p' }, sk: { S: 's' } };
const indexed: Partial<CreateTableCommandInput> = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
    { AttributeName: 'at', AttributeType: 'N' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'due',
      KeySchema: [{ AttributeName: 'at', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
  ],
};

test.each([
  [{ S: 'é' }, 2],
  [{ B: 'AQID' }, 3],
  [{ N: '0' }, 1],
  [{ N: '5' }, 2],
  [{ N: '-5' }, 3],
  [{ N: '100' }, 2],
  [{ N: '10' }, 2],
  [{ N: '12345' }, 4],
  [{ N: '0.5' }, 2],
  [{ N: '1.5' }, 3],
  [{ N: '12345678901234567890123456789012345678' }, 20],
  [{ BOOL: true }, 1],
  [{ NULL: true }, 1],
  [{ SS: ['ab', 'c'] }, 3],
  [{ L: [] }, 3],
  [{ L: [{ S: 'ab' }] }, 6],
  [{ M: { key: { S: 'ab' } } }, 9],
])('%o has %d bytes', (value, bytes) => {
  expect(valueSize(value)).toBe(bytes);
  expect(itemSize({ name: value })).toBe(bytes + 4);
});

test('A write costs a unit per started KB of the larger image, and one for each index that changes.', async () => {
  const { db } = await makeTable(indexed);
  const put = async (attributes: object) => {
    const { ConsumedCapacity } = await db.send(
      new PutItemCommand({ TableName, Item: { ...Key, ...attributes }, ReturnConsumedCapacity: 'INDEXES' }),
    );
    return [
      ConsumedCapacity?.CapacityUnits,
      ConsumedCapacity?.Table?.CapacityUnits,
      ConsumedCapacity?.GlobalSecondaryIndexes?.due?.CapacityUnits,
    ];
  };
  expect(await put({ big: { S: 'x'.repeat(3000) } })).toEqual([3, 3, undefined]);
  expect(await put({})).toEqual([3, 3, undefined]);
  expect(await put({ at: { N: '1' } })).toEqual([2, 1, 1]);
  expect(await put({ at: { N: '1' }, other: { S: 'x' } })).toEqual([1, 1, undefined]);
  expect(await put({ at: { N: '2' } })).toEqual([3, 1, 2]);
  expect(await put({})).toEqual([2, 1, 1]);
});

test('A read costs half a unit per started 4 KB, a consistent one a whole unit.', async () => {
  const { db } = await makeTable();
  const read = async (ConsistentRead: boolean) =>
    (await db.send(new GetItemCommand({ TableName, Key, ConsistentRead, ReturnConsumedCapacity: 'TOTAL' })))
      .ConsumedCapacity?.CapacityUnits;
  expect([await read(false), await read(true)]).toEqual([0.5, 1]);
  await db.send(new PutItemCommand({ TableName, Item: { ...Key, big: { S: 'x'.repeat(5000) } } }));
  expect([await read(false), await read(true)]).toEqual([1, 2]);
});

test('A query pays for the sum of what it reads, before the filter.', async () => {
  const { db } = await makeTable();
  for (let at = 0; at < 10; at += 1)
    await db.send(
      new PutItemCommand({ TableName, Item: { pk: { S: 'p' }, sk: { S: `${at}` }, x: { S: 'x'.repeat(900) } } }),
    );
  const { ConsumedCapacity } = await db.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :p',
      FilterExpression: 'attribute_exists(nothing)',
      ExpressionAttributeValues: { ':p': { S: 'p' } },
      ConsistentRead: true,
      ReturnConsumedCapacity: 'TOTAL',
    }),
  );
  expect(ConsumedCapacity).toEqual({ TableName, CapacityUnits: 3 });
});

test('Transactions pay twice for the table and once for indexes.', async () => {
  const { db } = await makeTable(indexed);
  const { ConsumedCapacity } = await db.send(
    new TransactWriteItemsCommand({
      TransactItems: [{ Put: { TableName, Item: { ...Key, at: { N: '1' } } } }],
      ReturnConsumedCapacity: 'INDEXES',
    }),
  );
  expect(ConsumedCapacity?.[0]).toMatchObject({
    CapacityUnits: 3,
    WriteCapacityUnits: 3,
    Table: { CapacityUnits: 2 },
    GlobalSecondaryIndexes: { due: { CapacityUnits: 1 } },
  });
});

test('The observer hears of every call, also of one whose condition failed.', async () => {
  const { db, service } = await makeTable(indexed);
  const consumed: unknown[] = [];
  service.onConsumed = (tableName, units) => consumed.push([tableName, units]);
  await db.send(new PutItemCommand({ TableName, Item: { ...Key, at: { N: '1' }, big: { S: 'x'.repeat(1500) } } }));
  await refusal(db.send(new UpdateItemCommand({ TableName, Key, ConditionExpression: 'attribute_not_exists(pk)' })));
  await db.send(new GetItemCommand({ TableName, Key }));
  expect(consumed).toEqual([
    ['things', { readUnits: 0, writeUnits: 3 }],
    ['things', { readUnits: 0, writeUnits: 2 }],
    ['things', { readUnits: 0.5, writeUnits: 0 }],
  ]);
});
