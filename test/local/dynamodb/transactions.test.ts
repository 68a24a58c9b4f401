import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  GetItemCommand,
  PutItemCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { makeTable, refusal } from './support.ts';

const TableName = 'things';
const key = (name: string) => ({ pk: { S: 'p' }, sk: { S: name } });
type TransactItem = NonNullable<TransactWriteItemsCommandInput['TransactItems']>[number];
const putOf = (name: string): TransactItem => ({ Put: { TableName, Item: key(name) } });
const increment = (name: string): TransactItem => ({
  Update: {
    TableName,
    Key: key(name),
    UpdateExpression: 'ADD n :one',
    ExpressionAttributeValues: { ':one': { N: '1' } },
  },
});

async function made() {
  const { db, clock } = await makeTable();
  const write = (...TransactItems: TransactItem[]) => db.send(new TransactWriteItemsCommand({ TransactItems }));
  const get = async (name: string) => (await db.send(new GetItemCommand({ TableName, Key: key(name) }))).Item;
  return { db, clock, write, get };
}

describe('TransactWriteItems', () => {
  test('All actions happen when all conditions hold.', async () => {
    const { db, write, get } = await made();
    await db.send(new PutItemCommand({ TableName, Item: key('old') }));
    await write(
      putOf('new'),
      increment('counter'),
      { Delete: { TableName, Key: key('old') } },
      {
        ConditionCheck: { TableName, Key: key('other'), ConditionExpression: 'attribute_not_exists(pk)' },
      },
    );
    expect([await get('new'), await get('counter'), await get('old'), await get('other')]).toEqual([
      key('new'),
      { ...key('counter'), n: { N: '1' } },
      undefined,
      undefined,
    ]);
  });

  test('Nothing happens when one condition is false, and each action has its reason.', async () => {
    const { db, write, get } = await made();
    await db.send(new PutItemCommand({ TableName, Item: { ...key('taken'), v: { N: '1' } } }));
    const call = write(putOf('new'), {
      Put: {
        TableName,
        Item: key('taken'),
        ConditionExpression: 'attribute_not_exists(pk)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      },
    });
    await expect(call).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      message:
        'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]',
      CancellationReasons: [
        { Code: 'None' },
        {
          Code: 'ConditionalCheckFailed',
          Message: 'The conditional request failed',
          Item: { ...key('taken'), v: { N: '1' } },
        },
      ],
    });
    expect(await get('new')).toBeUndefined();
  });

  test('An update that an item does not allow cancels with a ValidationError.', async () => {
    const { write } = await made();
    const call = write({ Update: { TableName, Key: key('a'), UpdateExpression: 'SET a = b' } }, putOf('b'));
    await expect(call).rejects.toMatchObject({
      CancellationReasons: [
        {
          Code: 'ValidationError',
          Message: 'The provided expression refers to an attribute that does not exist in the item',
        },
        { Code: 'None' },
      ],
    });
  });

  test('Two actions on one item are refused.', async () => {
    const { write } = await made();
    expect(await refusal(write(putOf('a'), increment('a')))).toBe(
      'ValidationException: Transaction request cannot include multiple operations on one item',
    );
  });

  test('A hundred actions are allowed, one more is not.', async () => {
    const { write } = await made();
    const actions = Array.from({ length: 101 }, (_, at) => putOf(String(at)));
    await write(...actions.slice(1));
    expect(await refusal(write(...actions))).toMatch('Member must have length less than or equal to 100');
  });

  test('A token makes a repetition harmless for ten minutes, and refuses another request.', async () => {
    const { db, clock, get } = await made();
    const send = (item: TransactItem) =>
      db.send(new TransactWriteItemsCommand({ TransactItems: [item], ClientRequestToken: 'token' }));
    await send(increment('counter'));
    clock.step(clock.now() + 599_000);
    await send(increment('counter'));
    expect((await get('counter'))?.n).toEqual({ N: '1' });
    expect(await refusal(send(putOf('other')))).toMatch('IdempotentParameterMismatchException');
    clock.step(clock.now() + 1000);
    await send(increment('counter'));
    expect((await get('counter'))?.n).toEqual({ N: '2' });
  });
});

describe('TransactGetItems', () => {
  test('Answers come in the order of the request, empty for what is missing.', async () => {
    const { db, write } = await made();
    await write(putOf('a'), putOf('b'));
    const { Responses } = await db.send(
      new TransactGetItemsCommand({
        TransactItems: [
          { Get: { TableName, Key: key('b') } },
          { Get: { TableName, Key: key('none') } },
          { Get: { TableName, Key: key('a'), ProjectionExpression: 'sk' } },
        ],
      }),
    );
    expect(Responses).toEqual([{ Item: key('b') }, {}, { Item: { sk: { S: 'a' } } }]);
  });

  test('A key that is none of the table cancels all, with a reason in its place.', async () => {
    const { db } = await made();
    const call = db.send(
      new TransactGetItemsCommand({
        TransactItems: [{ Get: { TableName, Key: key('a') } }, { Get: { TableName, Key: { pk: { S: 'p' } } } }],
      }),
    );
    await expect(call).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [
        { Code: 'None' },
        { Code: 'ValidationError', Message: 'The provided key element does not match the schema' },
      ],
    });
  });
});

describe('Batches', () => {
  test('Duplicates and too many items are refused.', async () => {
    const { db } = await made();
    const writes = (names: string[]) =>
      refusal(
        db.send(
          new BatchWriteItemCommand({
            RequestItems: { [TableName]: names.map((name) => ({ PutRequest: { Item: key(name) } })) },
          }),
        ),
      );
    const reads = (names: string[]) =>
      refusal(db.send(new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: names.map(key) } } })));
    const many = Array.from({ length: 101 }, (_, at) => String(at));
    const duplicates = 'ValidationException: Provided list of item keys contains duplicates';
    expect([await writes(['a', 'a']), await reads(['a', 'a'])]).toEqual([duplicates, duplicates]);
    expect(await writes(many.slice(0, 26))).toBe(
      'ValidationException: Too many items requested for the BatchWriteItem call',
    );
    expect(await reads(many)).toBe('ValidationException: Too many items requested for the BatchGetItem call');
  });
});
