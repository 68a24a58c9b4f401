import {
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { DynamoDBDocument } from '@aws-sdk/lib-dynamodb';
import { describe, expect, test } from 'vitest';
import { makeTable, refusal } from './support.ts';

const TableName = 'things';
const Key = { pk: { S: 'p' }, sk: { S: 's' } };

async function put(db: DynamoDBClient, attributes: Record<string, unknown>) {
  await db.send(new PutItemCommand({ TableName, Item: { ...Key, ...attributes } as never }));
}

async function get(db: DynamoDBClient) {
  return (await db.send(new GetItemCommand({ TableName, Key }))).Item;
}

function update(db: DynamoDBClient, input: Partial<UpdateItemCommandInput>) {
  return db.send(new UpdateItemCommand({ TableName, Key, ...input }));
}

describe('PutItem and GetItem', () => {
  test('A missing item has no Item in its answer.', async () => {
    const { db } = await makeTable();
    expect(await get(db)).toBeUndefined();
  });

  test('ALL_OLD returns the item that was replaced.', async () => {
    const { db } = await makeTable();
    await put(db, { v: { N: '1' } });
    const answer = await db.send(
      new PutItemCommand({ TableName, Item: { ...Key, v: { N: '2' } }, ReturnValues: 'ALL_OLD' }),
    );
    expect(answer.Attributes).toEqual({ ...Key, v: { N: '1' } });
  });

  test('A projection picks nested members and list elements.', async () => {
    const { db } = await makeTable();
    await put(db, { m: { M: { a: { N: '1' }, b: { N: '2' } } }, l: { L: [{ S: 'x' }, { S: 'y' }, { S: 'z' }] } });
    const { Item } = await db.send(
      new GetItemCommand({
        TableName,
        Key,
        ProjectionExpression: 'm.#a, l[2], l[0], nothing',
        ExpressionAttributeNames: { '#a': 'a' },
      }),
    );
    expect(Item).toEqual({ m: { M: { a: { N: '1' } } }, l: { L: [{ S: 'x' }, { S: 'z' }] } });
  });

  test('The document client reads what it wrote.', async () => {
    const { db } = await makeTable();
    const documents = DynamoDBDocument.from(db, { marshallOptions: { removeUndefinedValues: true } });
    const item = { pk: 'p', sk: 's', list: [1, 'two', { three: null }], set: new Set(['a']), yes: true };
    await documents.put({ TableName, Item: item });
    expect((await documents.get({ TableName, Key: { pk: 'p', sk: 's' } })).Item).toEqual(item);
  });
});

describe('Conditions', () => {
  test('A false condition is a ConditionalCheckFailedException and changes nothing.', async () => {
    const { db } = await makeTable();
    await put(db, { v: { N: '1' } });
    const call = db.send(
      new PutItemCommand({ TableName, Item: { ...Key }, ConditionExpression: 'attribute_not_exists(pk)' }),
    );
    expect(await refusal(call)).toBe('ConditionalCheckFailedException: The conditional request failed');
    expect(await get(db)).toEqual({ ...Key, v: { N: '1' } });
  });

  const item = {
    n: { N: '5' },
    s: { S: 'hello' },
    l: { L: [{ S: 'x' }, { N: '1' }] },
    m: { M: { k: { BOOL: true } } },
    ss: { SS: ['a', 'b'] },
    nul: { NULL: true },
    bin: { B: new Uint8Array([1, 2, 3]) },
    wide: { S: 'é\u{1F600}' },
  };
  const values = {
    ':n3': { N: '3' },
    ':n5': { N: '5.0' },
    ':n1': { N: '1' },
    ':n9': { N: '9' },
    ':he': { S: 'he' },
    ':x': { S: 'x' },
    ':a': { S: 'a' },
    ':ba': { SS: ['b', 'a'] },
    ':L': { S: 'L' },
    ':true': { BOOL: true },
    ':two': { B: new Uint8Array([2, 3]) },
  };
  test.each([
    ['n = :n5', true],
    ['n <> :n5', false],
    ['absent <> :n5', true],
    ['absent = :n5', false],
    ['n < :n9 AND n > :n1', true],
    ['n >= :n9 OR n <= :n1', false],
    ['NOT n = :n1', true],
    ['NOT n = :n1 AND n = :n1', false],
    ['NOT (n = :n1 AND n = :n1)', true],
    ['n BETWEEN :n1 AND :n9 AND n = :n5', true],
    ['n IN (:n1, :n5)', true],
    ['n IN (:n1, :x)', false],
    ['n < :he', false],
    ['s < :x', true],
    ['begins_with(s, :he)', true],
    ['contains(s, :he)', true],
    ['contains(l, :x) and contains(l, :n1)', true],
    ['contains(ss, :a)', true],
    ['contains(ss, :he)', false],
    ['contains(bin, :two)', true],
    ['ss = :ba', true],
    ['attribute_type(l, :L)', true],
    ['attribute_exists(m.k) AND attribute_not_exists(m.z)', true],
    ['m.k = :true', true],
    ['l[1] = :n1', true],
    ['l[9] = :n1', false],
    ['size(s) = :n5', true],
    ['size(wide) = :n3', true],
    ['size(l) > :n1', true],
    ['size(absent) > :n1', false],
    ['(n = :n5 OR n = :n1) AND (s = :he OR s > :he)', true],
  ])('%s is %s', async (condition, expected) => {
    const { db } = await makeTable();
    await put(db, item);
    const used = Object.fromEntries(
      Object.entries(values).filter(([name]) => new RegExp(`${name}\\b`).test(condition)),
    );
    const call = update(db, {
      ConditionExpression: condition,
      ...(Object.keys(used).length > 0 && { ExpressionAttributeValues: used }),
    });
    if (expected) await call;
    else expect(await refusal(call)).toMatch('ConditionalCheckFailedException');
  });
});

describe('UpdateItem', () => {
  test('An update of a missing item makes it, and without an expression makes only its key.', async () => {
    const { db } = await makeTable();
    await update(db, {});
    expect(await get(db)).toEqual(Key);
  });

  test('Arithmetic is exact to 38 digits.', async () => {
    const { db } = await makeTable();
    await put(db, { a: { N: '99999999999999999999999999999999999999' }, b: { N: '0.1' } });
    await update(db, {
      UpdateExpression: 'SET a = a - :one, b = b + :b',
      ExpressionAttributeValues: { ':one': { N: '1' }, ':b': { N: '0.2' } },
    });
    expect(await get(db)).toMatchObject({ a: { N: '99999999999999999999999999999999999998' }, b: { N: '0.3' } });
  });

  test('if_not_exists and list_append combine with each other and with arithmetic.', async () => {
    const { db } = await makeTable();
    const input = {
      UpdateExpression: 'SET n = if_not_exists(n, :zero) + :one, l = list_append(if_not_exists(l, :none), :new)',
      ExpressionAttributeValues: {
        ':zero': { N: '0' },
        ':one': { N: '1' },
        ':none': { L: [] },
        ':new': { L: [{ S: 'x' }] },
      },
    };
    await update(db, input);
    await update(db, input);
    expect(await get(db)).toEqual({ ...Key, n: { N: '2' }, l: { L: [{ S: 'x' }, { S: 'x' }] } });
  });

  test('An index beyond the end of a list appends, and removals mean the indexes from before.', async () => {
    const { db } = await makeTable();
    await put(db, { l: { L: ['a', 'b', 'c', 'd'].map((S) => ({ S })) } });
    await update(db, {
      UpdateExpression: 'SET l[9] = :y, l[7] = :x, l[2] = :C REMOVE l[0], l[1]',
      ExpressionAttributeValues: { ':x': { S: 'x' }, ':y': { S: 'y' }, ':C': { S: 'C' } },
    });
    expect((await get(db))?.l).toEqual({ L: ['C', 'd', 'x', 'y'].map((S) => ({ S })) });
  });

  test('Taking the last elements from a set removes the attribute.', async () => {
    const { db } = await makeTable();
    await put(db, { tags: { SS: ['x', 'y'] } });
    await update(db, { UpdateExpression: 'DELETE tags :t', ExpressionAttributeValues: { ':t': { SS: ['y', 'x'] } } });
    expect(await get(db)).toEqual(Key);
  });

  test.each([
    ['ALL_OLD', { ...Key, a: { N: '1' }, m: { M: { x: { N: '1' }, y: { N: '2' } } } }],
    ['UPDATED_OLD', { a: { N: '1' }, m: { M: { x: { N: '1' } } } }],
    ['ALL_NEW', { ...Key, a: { N: '3' }, m: { M: { x: { N: '3' }, y: { N: '2' } } }, c: { N: '3' } }],
    ['UPDATED_NEW', { a: { N: '3' }, m: { M: { x: { N: '3' } } }, c: { N: '3' } }],
    ['NONE', undefined],
  ] as const)('ReturnValues %s', async (ReturnValues, expected) => {
    const { db } = await makeTable();
    await put(db, { a: { N: '1' }, m: { M: { x: { N: '1' }, y: { N: '2' } } } });
    const { Attributes } = await update(db, {
      UpdateExpression: 'SET a = :v, m.x = :v, c = :v',
      ExpressionAttributeValues: { ':v': { N: '3' } },
      ReturnValues,
    });
    expect(Attributes).toEqual(expected);
  });
});
