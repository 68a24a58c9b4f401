import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteItemCommand,
  DescribeContinuousBackupsCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../../local/clock.ts';
import { SqliteStore } from '../../../local/store.ts';
import { makeDynamoDb, makeTable, refusal } from './support.ts';

const TableName = 'things';
const Key = { pk: { S: 'p' }, sk: { S: 's' } };
const streaming = { StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' } } as const;

function put(db: DynamoDBClient, attributes: object) {
  return db.send(new PutItemCommand({ TableName, Item: { ...Key, ...attributes } as never }));
}

function advance(clock: ManualClock, ms: number) {
  const limit = clock.now() + ms;
  while (clock.step(limit));
}

describe('The stream', () => {
  test('has a record for each change, in the shape of a Lambda event.', async () => {
    const { db, service, clock } = await makeTable(streaming);
    await put(db, { v: { N: '1' } });
    await put(db, { v: { N: '2' } });
    await db.send(new DeleteItemCommand({ TableName, Key }));
    const [insert, modify, remove, ...none] = service.readRecords(TableName, undefined, 100);
    expect(none).toEqual([]);
    expect(insert).toEqual({
      eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventName: 'INSERT',
      eventVersion: '1.1',
      eventSource: 'aws:dynamodb',
      awsRegion: 'us-east-1',
      eventSourceARN: service.streamArn(TableName),
      dynamodb: {
        ApproximateCreationDateTime: clock.now() / 1000,
        Keys: Key,
        NewImage: { ...Key, v: { N: '1' } },
        SequenceNumber: expect.stringMatching(/^\d{21,}$/),
        SizeBytes: 6 + 9,
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    });
    expect(modify?.dynamodb).toMatchObject({ OldImage: { v: { N: '1' } }, NewImage: { v: { N: '2' } } });
    expect(remove).toMatchObject({ eventName: 'REMOVE', dynamodb: { OldImage: { v: { N: '2' } } } });
    expect(remove?.dynamodb.NewImage).toBeUndefined();
  });

  test('has no record of a write that changes nothing.', async () => {
    const { db, service } = await makeTable(streaming);
    await put(db, { tags: { SS: ['a', 'b'] } });
    await put(db, { tags: { SS: ['b', 'a'] } });
    await db.send(new DeleteItemCommand({ TableName, Key: { pk: { S: 'p' }, sk: { S: 'none' } } }));
    expect(service.readRecords(TableName, undefined, 100)).toHaveLength(1);
  });

  test('is read from a place and told to listeners.', async () => {
    const { db, service } = await makeTable(streaming);
    const heard: string[] = [];
    const stop = service.onStreamRecord((table, record) => heard.push(`${table} ${record.dynamodb.SequenceNumber}`));
    for (let v = 1; v <= 5; v += 1) await put(db, { v: { N: String(v) } });
    stop();
    await put(db, { v: { N: '6' } });
    const all = service.readRecords(TableName, undefined, 100).map((record) => record.dynamodb.SequenceNumber);
    expect(all).toEqual([...all].sort());
    expect(heard).toEqual(all.slice(0, 5).map((sequence) => `things ${sequence}`));
    const next = service.readRecords(TableName, all[1], 3).map((record) => record.dynamodb.SequenceNumber);
    expect(next).toEqual(all.slice(2, 5));
    expect(service.latestSequence(TableName)).toBe(all[5]);
  });

  test('forgets records after 24 hours.', async () => {
    const { db, service, clock } = await makeTable(streaming);
    await put(db, { v: { N: '1' } });
    advance(clock, 23 * 3_600_000);
    await put(db, { v: { N: '2' } });
    expect(service.readRecords(TableName, undefined, 10)).toHaveLength(2);
    advance(clock, 3_600_000);
    expect(service.readRecords(TableName, undefined, 10)).toHaveLength(1);
  });

  test('shows only keys, or one image, when the view says so.', async () => {
    const { db, service } = await makeTable({
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' },
    });
    await put(db, { v: { N: '1' } });
    const [record] = service.readRecords(TableName, undefined, 1);
    expect(record?.dynamodb).toMatchObject({ Keys: Key, StreamViewType: 'KEYS_ONLY' });
    expect(record?.dynamodb).not.toHaveProperty('NewImage');
  });

  test('does not exist for a table without one.', async () => {
    const { db, service } = await makeTable();
    await put(db, {});
    expect(service.streamArn(TableName)).toBeUndefined();
    expect(service.readRecords(TableName, undefined, 10)).toEqual([]);
  });
});

describe('Time to live', () => {
  async function expiring() {
    const made = await makeTable(streaming);
    await made.db.send(
      new UpdateTimeToLiveCommand({
        TableName,
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      }),
    );
    const get = async () => (await made.db.send(new GetItemCommand({ TableName, Key }))).Item;
    return { ...made, get, now: Math.floor(made.clock.now() / 1000) };
  }

  test('An expired item stays readable for a while, then goes with a record by the service.', async () => {
    const { db, service, clock, get, now } = await expiring();
    await put(db, { ttl: { N: String(now + 60) } });
    advance(clock, 120_000);
    expect(await get()).toBeDefined();
    advance(clock, 120_000);
    expect(await get()).toBeUndefined();
    expect(service.readRecords(TableName, undefined, 10)[1]).toMatchObject({
      eventName: 'REMOVE',
      userIdentity: { type: 'Service', principalId: 'dynamodb.amazonaws.com' },
    });
  });

  test('An item whose time was moved, or that has no number for it, stays.', async () => {
    const { db, clock, get, now } = await expiring();
    await put(db, { ttl: { N: String(now + 60) } });
    await put(db, { ttl: { N: String(now + 7200) } });
    advance(clock, 3_600_000);
    expect(await get()).toBeDefined();
    await put(db, { ttl: { S: String(now) } });
    advance(clock, 86_400_000);
    expect(await get()).toBeDefined();
  });

  test('A time more than five years ago is taken for a mistake.', async () => {
    const { db, clock, get, now } = await expiring();
    await put(db, { ttl: { N: String(now - 6 * 365 * 86_400) } });
    advance(clock, 3_600_000);
    expect(await get()).toBeDefined();
  });

  test('It is described, and enabled only once.', async () => {
    const { db } = await expiring();
    const described = await db.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(described.TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'ttl' });
    const again = new UpdateTimeToLiveCommand({
      TableName,
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
    });
    expect(await refusal(db.send(again))).toBe('ValidationException: TimeToLive is already enabled');
  });
});

test('Point-in-time recovery is remembered.', async () => {
  const { db } = await makeTable();
  await db.send(
    new UpdateContinuousBackupsCommand({
      TableName,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 7 },
    }),
  );
  const described = await db.send(new DescribeContinuousBackupsCommand({ TableName }));
  expect(described.ContinuousBackupsDescription?.PointInTimeRecoveryDescription).toMatchObject({
    PointInTimeRecoveryStatus: 'ENABLED',
    RecoveryPeriodInDays: 7,
  });
});

test('Tables, items, indexes, streams and expiry survive a restart.', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dynamodb-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const before = await SqliteStore.open(folder);
  const first = await makeTable(
    {
      ...streaming,
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'at', AttributeType: 'N' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [{ AttributeName: 'at', KeyType: 'HASH' }],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    },
    { store: before },
  );
  await first.db.send(
    new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true } }),
  );
  const ttl = { N: String(first.clock.now() / 1000 + 60) };
  await put(first.db, { at: { N: '1' }, ttl });
  const records = first.service.readRecords(TableName, undefined, 10);
  before.close();

  const store = await SqliteStore.open(folder);
  onTestFinished(() => store.close());
  const { db, service, clock } = makeDynamoDb({ store, clock: new ManualClock(first.clock.now()) });
  expect((await db.send(new ListTablesCommand({}))).TableNames).toEqual([TableName]);
  const query = new QueryCommand({
    TableName,
    IndexName: 'due',
    KeyConditionExpression: '#at = :one',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':one': { N: '1.0' } },
  });
  expect((await db.send(query)).Items).toEqual([{ ...Key, at: { N: '1' }, ttl }]);
  expect(service.readRecords(TableName, undefined, 10)).toEqual(records);
  await put(db, { at: { N: '2' }, ttl });
  const sequences = service.readRecords(TableName, undefined, 10).map((record) => record.dynamodb.SequenceNumber);
  expect(sequences).toHaveLength(2);
  expect(sequences[1]! > sequences[0]!).toBe(true);
  advance(clock, 300_000);
  expect((await db.send(new GetItemCommand({ TableName, Key }))).Item).toBeUndefined();
});
