import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  type GetItemCommandInput,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  TransactGetItemsCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

type Item = Record<string, AttributeValue>;

const key = (sk: string): Item => ({ pk: { S: 'p' }, sk: { S: sk } });

/** A table with a sparse index by number, like Rouse's. */
async function table(world: World) {
  const db = world.client(DynamoDBClient);
  const TableName = world.unique('contract');
  await db.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'duePk', AttributeType: 'S' },
        { AttributeName: 'dueAt', AttributeType: 'N' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'duePk', KeyType: 'HASH' },
            { AttributeName: 'dueAt', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    }),
  );
  world.later(() => db.send(new DeleteTableCommand({ TableName })));
  await waitUntilTableExists({ client: db, maxWaitTime: 60, minDelay: 1 }, { TableName });
  const put = (Item: Item, more: Partial<PutItemCommandInput> = {}) =>
    db.send(new PutItemCommand({ TableName, Item, ...more }));
  const get = async (sk: string, more: Partial<GetItemCommandInput> = {}) =>
    (await db.send(new GetItemCommand({ TableName, Key: key(sk), ConsistentRead: true, ...more }))).Item;
  const update = (sk: string, UpdateExpression: string, more: Partial<UpdateItemCommandInput> = {}) =>
    db.send(new UpdateItemCommand({ TableName, Key: key(sk), UpdateExpression, ...more }));
  const query = (more: Partial<QueryCommandInput>) => db.send(new QueryCommand({ TableName, ...more }));
  return { db, TableName, put, get, update, query };
}

const inPartition = { KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'p' } } };

contract('DynamoDB', (claim) => {
  claim('DescribeTable', 'of a table that is not there is ResourceNotFoundException', async (world) => {
    const call = world.client(DynamoDBClient).send(new DescribeTableCommand({ TableName: world.unique('none') }));
    await expect(call).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  claim('CreateTable', 'of a table that is there is ResourceInUseException', async (world) => {
    const { db, TableName } = await table(world);
    const again = db.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      }),
    );
    await expect(again).rejects.toMatchObject({ name: 'ResourceInUseException' });
  });

  claim('UpdateTimeToLive', 'is told by DescribeTimeToLive', async (world) => {
    const { db, TableName } = await table(world);
    const TimeToLiveSpecification = { AttributeName: 'ttl', Enabled: true };
    await db.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification }));
    const { TimeToLiveDescription } = await db.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(TimeToLiveDescription).toMatchObject({
      AttributeName: 'ttl',
      TimeToLiveStatus: expect.stringMatching(/^ENABL/),
    });
  });

  claim('PutItem', 'keeps every type of value', async (world) => {
    const { put, get } = await table(world);
    const item: Item = {
      ...key('a'),
      n: { N: '1.5' },
      b: { B: Uint8Array.of(1, 2) },
      t: { BOOL: true },
      z: { NULL: true },
      l: { L: [{ S: 'x' }, { N: '1' }] },
      m: { M: { x: { S: '' } } },
      ss: { SS: ['x'] },
    };
    await put(item);
    expect(await get('a')).toEqual(item);
  });

  claim('PutItem', 'numbers are exact, and lose superfluous zeros', async (world) => {
    const { put, get } = await table(world);
    const long = '12345678901234567890123456789012345678';
    await put({ ...key('a'), long: { N: long }, zeros: { N: '001.500' }, exponent: { N: '1e3' } });
    expect(await get('a')).toMatchObject({ long: { N: long }, zeros: { N: '1.5' }, exponent: { N: '1000' } });
  });

  claim('PutItem', 'a false condition is ConditionalCheckFailedException, with the item when asked', async (world) => {
    const { put } = await table(world);
    await put({ ...key('a'), n: { N: '1' } });
    const again = put(key('a'), {
      ConditionExpression: 'attribute_not_exists(pk)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    await expect(again).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
      message: 'The conditional request failed',
      Item: { ...key('a'), n: { N: '1' } },
    });
  });

  claim('PutItem', 'without its key it is refused', async (world) => {
    const { put } = await table(world);
    await expect(put({ pk: { S: 'p' } })).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'One or more parameter values were invalid: Missing the key sk in the item',
    });
  });

  claim('PutItem', 'a key of an index must have its type', async (world) => {
    const { put } = await table(world);
    const call = put({ ...key('a'), duePk: { S: 'x' }, dueAt: { S: 'soon' } });
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
  });

  claim('PutItem', 'more than 400 KB are refused', async (world) => {
    const { put } = await table(world);
    const call = put({ ...key('a'), big: { S: 'x'.repeat(409_600) } });
    await expect(call).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'Item size has exceeded the maximum allowed size',
    });
  });

  claim('UpdateItem', 'makes an item that is not there', async (world) => {
    const { update, get } = await table(world);
    await update('a', 'ADD n :one SET s = if_not_exists(s, :x)', {
      ExpressionAttributeValues: { ':one': { N: '1' }, ':x': { S: 'x' } },
    });
    expect(await get('a')).toEqual({ ...key('a'), n: { N: '1' }, s: { S: 'x' } });
  });

  claim('UpdateItem', 'all operands see the item as it was', async (world) => {
    const { put, update } = await table(world);
    await put({ ...key('a'), x: { N: '1' }, y: { N: '2' }, l: { L: [] }, ss: { SS: ['a', 'b'] } });
    const { Attributes } = await update('a', 'SET x = y, y = x, l = list_append(l, :l) DELETE ss :a', {
      ExpressionAttributeValues: { ':l': { L: [{ S: 'z' }] }, ':a': { SS: ['a'] } },
      ReturnValues: 'ALL_NEW',
    });
    const changed = { x: { N: '2' }, y: { N: '1' }, l: { L: [{ S: 'z' }] }, ss: { SS: ['b'] } };
    expect(Attributes).toEqual({ ...key('a'), ...changed });
  });

  claim('UpdateItem', 'UPDATED_NEW returns the updated paths only', async (world) => {
    const { put, update } = await table(world);
    await put({ ...key('a'), m: { M: { x: { N: '1' }, y: { N: '2' } } } });
    const values = { ExpressionAttributeValues: { ':v': { N: '9' } } };
    const { Attributes } = await update('a', 'SET m.x = :v', { ...values, ReturnValues: 'UPDATED_NEW' });
    expect(Attributes).toEqual({ m: { M: { x: { N: '9' } } } });
  });

  claim('UpdateItem', 'a path that leads nowhere is refused', async (world) => {
    const { put, update } = await table(world);
    await put(key('a'));
    const call = update('a', 'SET m.x = :v', { ExpressionAttributeValues: { ':v': { N: '9' } } });
    await expect(call).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'The document path provided in the update expression is invalid for update',
    });
  });

  claim('UpdateItem', 'a key cannot be changed', async (world) => {
    const { update } = await table(world);
    const call = update('a', 'SET sk = :v', { ExpressionAttributeValues: { ':v': { S: 'b' } } });
    await expect(call).rejects.toMatchObject({
      name: 'ValidationException',
      message:
        'One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key',
    });
  });

  const one: AttributeValue = { N: '1' };
  for (const [what, expression, values, message] of [
    [
      'a reserved word',
      'SET status = :v',
      { ':v': one },
      'Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status',
    ],
    [
      'a value that nothing uses',
      'SET a = :v',
      { ':v': one, ':w': one },
      'Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}',
    ],
    [
      'a syntax error',
      'SET a == :v',
      { ':v': one },
      'Invalid UpdateExpression: Syntax error; token: "=", near: "== :v"',
    ],
  ] as const)
    claim('UpdateItem', `${what} is refused by name`, async (world) => {
      const { update } = await table(world);
      const call = update('a', expression, { ExpressionAttributeValues: values });
      await expect(call).rejects.toMatchObject({ name: 'ValidationException', message });
    });

  claim('DeleteItem', 'returns the old item, and is no error when there is none', async (world) => {
    const { db, TableName, put } = await table(world);
    await put(key('a'));
    const remove = () => db.send(new DeleteItemCommand({ TableName, Key: key('a'), ReturnValues: 'ALL_OLD' }));
    expect((await remove()).Attributes).toEqual(key('a'));
    expect((await remove()).Attributes).toBeUndefined();
  });

  claim('GetItem', 'projects paths', async (world) => {
    const { put, get } = await table(world);
    await put({ ...key('a'), m: { M: { x: { N: '1' }, y: { N: '2' } } }, l: { L: [{ S: '0' }, { S: '1' }] } });
    expect(await get('a', { ProjectionExpression: 'm.x, l[1]' })).toEqual({
      m: { M: { x: { N: '1' } } },
      l: { L: [{ S: '1' }] },
    });
  });

  claim('GetItem', 'a key that is none of the table is refused', async (world) => {
    const { get } = await table(world);
    await expect(get('a', { Key: { pk: { S: 'p' } } })).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'The provided key element does not match the schema',
    });
  });

  claim('Query', 'is sorted by the bytes of the sort key, both ways, page by page', async (world) => {
    const { put, query } = await table(world);
    for (const sk of ['b', 'é', 'a', 'B']) await put(key(sk));
    const first = await query({ ...inPartition, Limit: 3 });
    expect(first.Items).toEqual(['B', 'a', 'b'].map(key));
    expect(first.LastEvaluatedKey).toEqual(key('b'));
    const second = await query({ ...inPartition, ExclusiveStartKey: first.LastEvaluatedKey });
    expect(second).toMatchObject({ Items: [key('é')], Count: 1 });
    expect(second.LastEvaluatedKey).toBeUndefined();
    expect((await query({ ...inPartition, ScanIndexForward: false })).Items).toEqual(['é', 'b', 'a', 'B'].map(key));
  });

  claim('Query', 'a filter leaves out after the limit has counted', async (world) => {
    const { put, query } = await table(world);
    for (const [sk, n] of Object.entries({ a: '1', b: '2', c: '1' })) await put({ ...key(sk), n: { N: n } });
    const answer = await query({
      ...inPartition,
      FilterExpression: 'n = :n',
      ExpressionAttributeValues: { ...inPartition.ExpressionAttributeValues, ':n': { N: '2' } },
      Limit: 2,
    });
    expect(answer).toMatchObject({ Count: 1, ScannedCount: 2, LastEvaluatedKey: key('b') });
  });

  claim('Query', 'a sparse index holds keys only, sorted by number', async (world) => {
    const { put, query } = await table(world);
    await put({ ...key('a'), duePk: { S: 'd' }, dueAt: { N: '10' }, more: { S: 'x' } });
    await put({ ...key('b'), duePk: { S: 'd' }, dueAt: { N: '9.5' } });
    await put({ ...key('c'), duePk: { S: 'd' } });
    await world.after(500);
    const { Items } = await query({
      IndexName: 'due',
      KeyConditionExpression: 'duePk = :d AND dueAt <= :now',
      ExpressionAttributeValues: { ':d': { S: 'd' }, ':now': { N: '10' } },
    });
    expect(Items).toEqual([
      { ...key('b'), duePk: { S: 'd' }, dueAt: { N: '9.5' } },
      { ...key('a'), duePk: { S: 'd' }, dueAt: { N: '10' } },
    ]);
  });

  claim('Query', 'an index is not read consistently', async (world) => {
    const { query } = await table(world);
    const call = query({
      IndexName: 'due',
      ConsistentRead: true,
      KeyConditionExpression: 'duePk = :d',
      ExpressionAttributeValues: { ':d': { S: 'd' } },
    });
    await expect(call).rejects.toMatchObject({ name: 'ValidationException' });
  });

  claim('Query', 'a filter may not name a key', async (world) => {
    const { query } = await table(world);
    await expect(query({ ...inPartition, FilterExpression: 'sk = :p' })).rejects.toMatchObject({
      message: 'Filter Expression can only contain non-primary key attributes: Primary key attribute: sk',
    });
  });

  claim('Scan', 'the segments together hold every item once', async (world) => {
    const { db, TableName, put } = await table(world);
    for (let at = 0; at < 8; at += 1) await put({ pk: { S: `p${at}` }, sk: { S: 's' } });
    const segment = async (Segment: number) =>
      (await db.send(new ScanCommand({ TableName, Segment, TotalSegments: 3, ConsistentRead: true }))).Items ?? [];
    const parts = await Promise.all([0, 1, 2].map(segment));
    const seen = parts.flat().map((item) => item.pk!.S);
    expect(seen.toSorted()).toEqual(['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7']);
  });

  claim('BatchWriteItem', 'puts and deletes, and BatchGetItem reads', async (world) => {
    const { db, TableName, put } = await table(world);
    await put(key('old'));
    const writes = [{ PutRequest: { Item: key('new') } }, { DeleteRequest: { Key: key('old') } }];
    const { UnprocessedItems } = await db.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: writes } }));
    expect(UnprocessedItems).toEqual({});
    const RequestItems = { [TableName]: { Keys: [key('new'), key('old')], ConsistentRead: true } };
    const { Responses } = await db.send(new BatchGetItemCommand({ RequestItems }));
    expect(Responses).toEqual({ [TableName]: [key('new')] });
  });

  claim('BatchWriteItem', 'the same item twice is refused', async (world) => {
    const { db, TableName } = await table(world);
    const writes = [{ PutRequest: { Item: key('a') } }, { DeleteRequest: { Key: key('a') } }];
    const call = db.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: writes } }));
    await expect(call).rejects.toMatchObject({
      name: 'ValidationException',
      message: 'Provided list of item keys contains duplicates',
    });
  });

  claim('TransactWriteItems', 'one false condition cancels all, with a reason for each', async (world) => {
    const { db, TableName, get } = await table(world);
    const check = { TableName, Key: key('b'), ConditionExpression: 'attribute_exists(pk)' };
    const call = db.send(
      new TransactWriteItemsCommand({
        TransactItems: [{ Put: { TableName, Item: key('a') } }, { ConditionCheck: check }],
      }),
    );
    await expect(call).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }],
    });
    expect(await get('a')).toBeUndefined();
  });

  claim(
    'TransactWriteItems',
    'the same token has no second effect, and another request with it is refused',
    async (world) => {
      const { db, TableName, get } = await table(world);
      const token = crypto.randomUUID();
      const add = (n: string) =>
        db.send(
          new TransactWriteItemsCommand({
            ClientRequestToken: token,
            TransactItems: [
              {
                Update: {
                  TableName,
                  Key: key('a'),
                  UpdateExpression: 'ADD n :n',
                  ExpressionAttributeValues: { ':n': { N: n } },
                },
              },
            ],
          }),
        );
      await add('1');
      await add('1');
      expect(await get('a')).toMatchObject({ n: { N: '1' } });
      await expect(add('2')).rejects.toMatchObject({ name: 'IdempotentParameterMismatchException' });
    },
  );

  claim('TransactGetItems', 'answers in the order of the request', async (world) => {
    const { db, TableName, put } = await table(world);
    await put(key('a'));
    const TransactItems = ['none', 'a'].map((sk) => ({ Get: { TableName, Key: key(sk) } }));
    const { Responses } = await db.send(new TransactGetItemsCommand({ TransactItems }));
    expect(Responses).toEqual([{}, { Item: key('a') }]);
  });
});
