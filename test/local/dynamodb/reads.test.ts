import {
  type CreateTableCommandInput,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { makeTable, refusal } from './support.ts';

const TableName = 'things';

const indexed: Partial<CreateTableCommandInput> = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
    { AttributeName: 'slot', AttributeType: 'S' },
    { AttributeName: 'dueAt', AttributeType: 'N' },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: 'due',
      KeySchema: [
        { AttributeName: 'slot', KeyType: 'HASH' },
        { AttributeName: 'dueAt', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'KEYS_ONLY' },
    },
    {
      IndexName: 'some',
      KeySchema: [{ AttributeName: 'slot', KeyType: 'HASH' }],
      Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['a'] },
    },
  ],
};

/** The table with items `s00`…`s09` in the partition `p`. */
async function filled() {
  const made = await makeTable(indexed);
  for (let at = 0; at < 10; at += 1) {
    const isDue = at % 2 === 0;
    await put(made.db, `s0${at}`, {
      a: { N: String(at) },
      b: { S: 'more' },
      ...(isDue && { slot: { S: 'x' }, dueAt: { N: String(100 - at * 10.5) } }),
    });
  }
  return made;
}

async function put(db: DynamoDBClient, sk: string, attributes: object = {}) {
  await db.send(new PutItemCommand({ TableName, Item: { pk: { S: 'p' }, sk: { S: sk }, ...attributes } }));
}

async function sortKeys(db: DynamoDBClient, input: Partial<QueryCommandInput>) {
  const { Items = [] } = await db.send(new QueryCommand({ TableName, ...input }));
  return Items.map((item) => item.sk?.S);
}

describe('Query', () => {
  test.each([
    ['pk = :p AND sk = :a', ['s03']],
    ['pk = :p AND sk < :a', ['s00', 's01', 's02']],
    ['pk = :p AND sk <= :a', ['s00', 's01', 's02', 's03']],
    ['pk = :p AND sk > :b', ['s07', 's08', 's09']],
    ['pk = :p AND sk >= :b', ['s06', 's07', 's08', 's09']],
    ['sk BETWEEN :a AND :b AND pk = :p', ['s03', 's04', 's05', 's06']],
    ['pk = :p AND begins_with(sk, :a)', ['s03']],
    [':p = pk AND :b < sk', ['s07', 's08', 's09']],
  ])('%s', async (condition, expected) => {
    const { db } = await filled();
    const values = { ':p': { S: 'p' }, ':a': { S: 's03' }, ':b': { S: 's06' } };
    const used = Object.fromEntries(Object.entries(values).filter(([name]) => condition.includes(name)));
    expect(await sortKeys(db, { KeyConditionExpression: condition, ExpressionAttributeValues: used })).toEqual(
      expected,
    );
    const backwards = { KeyConditionExpression: condition, ExpressionAttributeValues: used, ScanIndexForward: false };
    expect(await sortKeys(db, backwards)).toEqual([...expected].reverse());
  });

  const all = { KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': { S: 'p' } } };

  test('Pages join without a gap, though the last item of one was deleted.', async () => {
    const { db } = await filled();
    const after = { pk: { S: 'p' }, sk: { S: 's035' } };
    expect(await sortKeys(db, { ...all, Limit: 2, ExclusiveStartKey: after })).toEqual(['s04', 's05']);
    const backwards = { ...all, Limit: 2, ExclusiveStartKey: after, ScanIndexForward: false };
    expect(await sortKeys(db, backwards)).toEqual(['s03', 's02']);
  });

  test('A page ends once it has read 1 MB.', async () => {
    const { db } = await makeTable();
    for (let at = 0; at < 5; at += 1) await put(db, `s${at}`, { big: { S: 'x'.repeat(300_000) } });
    const first = await db.send(new QueryCommand({ TableName, ...all }));
    expect(first.Items?.length).toBe(4);
    const second = await db.send(new QueryCommand({ TableName, ...all, ExclusiveStartKey: first.LastEvaluatedKey }));
    expect(second).toMatchObject({ Count: 1 });
    expect(second.LastEvaluatedKey).toBeUndefined();
  });

  test('COUNT returns no items.', async () => {
    const { db } = await filled();
    const answer = await db.send(new QueryCommand({ TableName, ...all, Select: 'COUNT' }));
    expect(answer).toMatchObject({ Count: 10, ScannedCount: 10 });
    expect(answer.Items).toBeUndefined();
  });

  test('Strings sort by their UTF-8 bytes.', async () => {
    const { db } = await makeTable();
    const sorted = ['A', 'a', 'é', '\uFFEE', '😀'];
    for (const sk of [...sorted].reverse()) await put(db, sk);
    expect(await sortKeys(db, all)).toEqual(sorted);
  });

  test.each([
    ['sk = :p', {}, 'Query condition missed key schema element: pk'],
    ['pk = :p AND a = :p', {}, 'Query condition missed key schema element: sk'],
    ['pk < :p', {}, 'Query key condition not supported'],
    ['pk = :p OR sk = :p', {}, 'Invalid operator used in KeyConditionExpression: OR'],
    ['pk = :p AND sk > :p AND sk < :p', {}, 'KeyConditionExpressions must only contain one condition per key'],
    [
      'pk = :p',
      { FilterExpression: 'sk = :p' },
      'Filter Expression can only contain non-primary key attributes: Primary key attribute: sk',
    ],
    ['pk = :p', { IndexName: 'nope' }, 'The table does not have the specified index: nope'],
    [
      'slot = :p',
      { IndexName: 'due', ConsistentRead: true },
      'Consistent reads are not supported on global secondary indexes',
    ],
    ['pk = :p', { ExclusiveStartKey: { pk: { S: 'p' } } }, 'The provided starting key is invalid'],
    [
      'slot = :p',
      { IndexName: 'due', ProjectionExpression: 'a' },
      'One or more parameter values were invalid: Global secondary index due does not project [a]',
    ],
    [
      'slot = :p',
      { IndexName: 'due', FilterExpression: 'a = :p' },
      'One or more parameter values were invalid: Secondary index due does not project one or more filter attributes: [a]',
    ],
  ])('%s with %o is refused', async (condition, input, message) => {
    const { db } = await filled();
    const call = db.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: condition,
        ExpressionAttributeValues: { ':p': { S: 'p' } },
        ...input,
      }),
    );
    expect(await refusal(call)).toBe(`ValidationException: ${message}`);
  });
});

test('A sort key over 1,024 bytes is refused in a condition, too.', async () => {
  const { db } = await makeTable();
  const call = db.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :p AND sk < :long',
      ExpressionAttributeValues: { ':p': { S: 'p' }, ':long': { S: 'x'.repeat(1025) } },
    }),
  );
  expect(await refusal(call)).toBe(
    'ValidationException: One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes',
  );
});

describe('A global secondary index', () => {
  const due = {
    IndexName: 'due',
    KeyConditionExpression: 'slot = :x AND dueAt <= :now',
    ExpressionAttributeValues: { ':x': { S: 'x' }, ':now': { N: '79' } },
  };

  test('is scanned with a filter of what it does not project, which finds nothing.', async () => {
    const { db } = await filled();
    const filter = { FilterExpression: 'a >= :zero', ExpressionAttributeValues: { ':zero': { N: '0' } } };
    const scan = await db.send(new ScanCommand({ TableName, IndexName: 'due', ...filter }));
    expect([scan.Count, scan.ScannedCount]).toEqual([0, 5]);
  });

  test('projects keys only, or what it includes.', async () => {
    const { db } = await filled();
    const keys = await db.send(new QueryCommand({ TableName, ...due, Limit: 1 }));
    expect(keys.Items).toEqual([{ pk: { S: 'p' }, sk: { S: 's08' }, slot: { S: 'x' }, dueAt: { N: '16' } }]);
    const some = await db.send(
      new QueryCommand({
        TableName,
        IndexName: 'some',
        KeyConditionExpression: 'slot = :x',
        ExpressionAttributeValues: { ':x': { S: 'x' } },
        Limit: 1,
      }),
    );
    expect(Object.keys(some.Items?.[0] ?? {}).sort()).toEqual(['a', 'pk', 'sk', 'slot']);
  });

  test('goes on from keys of the index and of the table, where several items are equal in the index.', async () => {
    const { db } = await makeTable(indexed);
    for (let at = 0; at < 7; at += 1) await put(db, `s${at}`, { slot: { S: 'x' }, dueAt: { N: '1' } });
    const seen: (string | undefined)[] = [];
    let after: QueryCommandInput['ExclusiveStartKey'];
    do {
      const page = await db.send(new QueryCommand({ TableName, ...due, Limit: 2, ExclusiveStartKey: after }));
      seen.push(...(page.Items ?? []).map((item) => item.sk?.S));
      after = page.LastEvaluatedKey;
      if (after) expect(Object.keys(after).sort()).toEqual(['dueAt', 'pk', 'sk', 'slot']);
    } while (after);
    expect(seen.sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5', 's6']);
  });
});

describe('Scan', () => {
  test('A filter may use keys, and an index can be scanned.', async () => {
    const { db } = await filled();
    const filter = { FilterExpression: 'sk > :s', ExpressionAttributeValues: { ':s': { S: 's07' } } };
    expect(await db.send(new ScanCommand({ TableName, ...filter }))).toMatchObject({ Count: 2, ScannedCount: 10 });
    expect(await db.send(new ScanCommand({ TableName, IndexName: 'due' }))).toMatchObject({ Count: 5 });
  });
});
