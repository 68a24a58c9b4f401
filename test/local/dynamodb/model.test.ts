/** Seeded random runs of the service against naive models: sorted arrays, BigInt fractions, plain maps. */
import {
  type AttributeValue,
  BatchWriteItemCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { addNumbers, compareNumbers, normalNumber, sortableNumber } from '../../../local/services/dynamodb/number.ts';
import { SortedList } from '../../../local/services/dynamodb/sorted-list.ts';
import { makeTable } from './support.ts';

const TableName = 'things';
type Item = Record<string, AttributeValue>;

/** A generator of numbers in [0, 1) that a seed determines (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test.each([1, 2, 3])('The sorted list is a sorted array (seed %d)', (seed) => {
  const random = randomOf(seed);
  const list = new SortedList<number>((one, two) => one - two);
  const model = new Set<number>();
  for (let step = 0; step < 20_000; step += 1) {
    const element = Math.floor(random() * 5000);
    if (random() < 0.6 && !model.has(element)) {
      list.insert(element);
      model.add(element);
    } else expect(list.remove(element)).toBe(model.delete(element));
  }
  const sorted = [...model].sort((one, two) => one - two);
  expect(list.size).toBe(sorted.length);
  for (const bound of [-1, 0, 17, 2500, 4999, 6000]) {
    expect([...list.ascending((element) => element < bound)]).toEqual(sorted.filter((element) => element >= bound));
    const below = sorted.filter((element) => element < bound).reverse();
    expect([...list.descending((element) => element < bound)]).toEqual(below);
  }
});

test('Numbers add, compare and sort as exact fractions do.', () => {
  const random = randomOf(4);
  const scale = 40n;
  const exact = (text: string) => {
    const [whole = '', fraction = ''] = text.replace('-', '').split('.');
    const value = BigInt(whole + fraction.padEnd(Number(scale), '0'));
    return text.startsWith('-') ? -value : value;
  };
  const number = () => {
    const digits = Array.from({ length: 1 + Math.floor(random() * 18) }, () => Math.floor(random() * 10)).join('');
    const sign = random() < 0.5 ? '-' : '';
    return normalNumber(`${sign}${digits}e${Math.floor(random() * 20) - 15}`);
  };
  for (let step = 0; step < 5000; step += 1) {
    const [one, two] = [number(), number()];
    const [a, b] = [exact(one), exact(two)];
    expect(exact(addNumbers(one, two))).toBe(a + b);
    expect(Math.sign(compareNumbers(one, two))).toBe(a < b ? -1 : a > b ? 1 : 0);
    expect(sortableNumber(one) < sortableNumber(two)).toBe(a < b);
  }
});

/** What the table should hold and answer: every question is a filter and a sort of all items. */
class Model {
  readonly items = new Map<string, Item>();

  static key(item: Item): string {
    return `${item.pk?.S} ${item.sk?.N}`;
  }

  sorted(partition: string, value: string, sort: string): Item[] {
    return [...this.items.values()]
      .filter((item) => item[partition]?.S === value && item[sort]?.N !== undefined)
      .sort((one, two) => Number(one[sort]?.N) - Number(two[sort]?.N));
  }
}

async function pages(db: DynamoDBClient, input: QueryCommandInput): Promise<Item[]> {
  const items: Item[] = [];
  let after: Item | undefined;
  do {
    const page = await db.send(new QueryCommand({ ...input, ExclusiveStartKey: after }));
    items.push(...(page.Items ?? []));
    after = page.LastEvaluatedKey;
  } while (after);
  return items;
}

async function mutate(db: DynamoDBClient, model: Model, random: () => number): Promise<void> {
  const pick = (limit: number) => Math.floor(random() * limit);
  const Key = { pk: { S: `p${pick(3)}` }, sk: { N: String((pick(40) - 20) / 4) } };
  const key = Model.key(Key);
  const old = model.items.get(key);
  const index: Item = random() < 0.5 ? { group: { S: `g${pick(2)}` }, rank: { N: String(pick(10)) } } : {};
  const chance = random();
  if (chance < 0.35) {
    const item: Item = { ...Key, ...index, count: { N: String(pick(100)) } };
    await db.send(new PutItemCommand({ TableName, Item: item }));
    model.items.set(key, item);
  } else if (chance < 0.5) {
    await db.send(new DeleteItemCommand({ TableName, Key }));
    model.items.delete(key);
  } else if (chance < 0.6) {
    const item: Item = { ...Key, ...index };
    await db.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: [{ PutRequest: { Item: item } }] } }));
    model.items.set(key, item);
  } else if (chance < 0.8) {
    const update = new UpdateItemCommand({
      TableName,
      Key,
      UpdateExpression: 'ADD #count :n SET #rank = :rank, #group = if_not_exists(#group, :group)',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#count': 'count', '#rank': 'rank', '#group': 'group' },
      ExpressionAttributeValues: { ':n': { N: '0.1' }, ':rank': { N: '5' }, ':group': { S: 'g0' } },
    });
    const done = await db.send(update).then(
      () => true,
      () => false,
    );
    expect(done).toBe(old !== undefined);
    if (old) {
      const count = addNumbers(old.count?.N ?? '0', '0.1');
      model.items.set(key, { group: { S: 'g0' }, ...old, count: { N: count }, rank: { N: '5' } });
    }
  } else {
    const update = {
      TableName,
      Key,
      UpdateExpression: 'REMOVE #group',
      ExpressionAttributeNames: { '#group': 'group' },
    };
    await db.send(new UpdateItemCommand(update));
    const { group: _, ...rest }: Item = old ?? Key;
    model.items.set(key, rest);
  }
}

test.each([11, 12, 13, 14])('The table answers as its model does (seed %d)', async (seed) => {
  const { db } = await makeTable({
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'N' },
      { AttributeName: 'group', AttributeType: 'S' },
      { AttributeName: 'rank', AttributeType: 'N' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'ranks',
        KeySchema: [
          { AttributeName: 'group', KeyType: 'HASH' },
          { AttributeName: 'rank', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  });
  const random = randomOf(seed);
  const model = new Model();
  for (let step = 0; step < 300; step += 1) {
    await mutate(db, model, random);
    if (step % 10 !== 0) continue;
    const pk = `p${Math.floor(random() * 3)}`;
    const low = Math.floor(random() * 10) - 5;
    const input: QueryCommandInput = {
      TableName,
      KeyConditionExpression: 'pk = :pk AND sk >= :low',
      ExpressionAttributeValues: { ':pk': { S: pk }, ':low': { N: String(low) } },
      Limit: 1 + Math.floor(random() * 5),
    };
    const expected = model.sorted('pk', pk, 'sk').filter((item) => Number(item.sk?.N) >= low);
    expect(await pages(db, input)).toEqual(expected);
    expect(await pages(db, { ...input, ScanIndexForward: false })).toEqual([...expected].reverse());
    const ranked = await pages(db, {
      TableName,
      IndexName: 'ranks',
      KeyConditionExpression: '#group = :group',
      ExpressionAttributeNames: { '#group': 'group' },
      ExpressionAttributeValues: { ':group': { S: 'g0' } },
      Limit: 3,
    });
    expect(ranked.map((item) => item.rank)).toEqual(model.sorted('group', 'g0', 'rank').map((item) => item.rank));
    expect(new Set(ranked.map(Model.key)).size).toBe(ranked.length);
  }
  for (const item of model.items.values()) {
    const { Item } = await db.send(new GetItemCommand({ TableName, Key: { pk: item.pk!, sk: item.sk! } }));
    expect(Item).toEqual(item);
  }
});
