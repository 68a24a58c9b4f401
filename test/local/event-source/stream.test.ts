import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SqliteStore } from '../../../local/store.ts';
import { client } from '../../support/embedded.ts';
import { mappingsOn, rows, type StreamEvent, withStream } from './support.ts';

describe('a stream', () => {
  it('hands over each change with its images, in order', async () => {
    const seen: StreamEvent[] = [];
    const { put, settled } = await withStream((event) => void seen.push(event));
    await put('a', '1');
    await put('a', '2');
    await settled();
    expect(seen.flatMap(rows)).toEqual(['a1', 'a2']);
    expect(seen[0]!.Records[0]).toMatchObject({ eventName: 'INSERT', dynamodb: { NewImage: { pk: { S: 'a' } } } });
  });

  it('keeps the order of a key while another key fails in its own lane', async () => {
    const seen: string[] = [];
    const { put, settled, advance } = await withStream(
      (event) => {
        const names = rows(event);
        seen.push(...names);
        if (names[0]!.startsWith('a') && seen.length < 4) throw new Error('not yet');
      },
      { parallelizationFactor: 10 },
    );
    await put('a', '1');
    await settled();
    await put('a', '2');
    await put('b', '1');
    await settled();
    expect(seen).toEqual(['a1', 'b1']);
    await advance(60_000);
    expect(seen.filter((name) => name === 'b1')).toHaveLength(1);
    const ofA = seen.filter((name) => name.startsWith('a'));
    expect(ofA.lastIndexOf('a1')).toBeLessThan(ofA.indexOf('a2'));
  });

  it('goes on from the first failure that a function reports', async () => {
    const seen: string[][] = [];
    const { put, advance } = await withStream((event) => {
      seen.push(rows(event));
      const failed = seen.length === 1 ? event.Records.slice(1) : [];
      return { batchItemFailures: failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb.SequenceNumber })) };
    });
    await Promise.all([put('a', '1'), put('a', '2'), put('a', '3')]);
    await advance(10_000);
    expect(seen).toEqual([
      ['a1', 'a2', 'a3'],
      ['a2', 'a3'],
    ]);
  });

  it('halves a failing batch until only the culprit is given up, with its whole record in the bucket', async () => {
    const seen = new Set<string>();
    const { put, services, advance, wire } = await withStream(
      (event) => {
        if (rows(event).includes('a3')) throw new Error('poison');
        for (const row of rows(event)) seen.add(row);
      },
      { bisectBatchOnFunctionError: true, maximumRetryAttempts: 2, onFailureDestinationArn: 'arn:aws:s3:::failed' },
    );
    services.s3.createBucket('failed');
    await Promise.all(['1', '2', '3', '4', '5'].map((sk) => put('a', sk)));
    await advance(120_000);
    expect([...seen].sort()).toEqual(['a1', 'a2', 'a4', 'a5']);
    const s3 = client(S3Client, wire, { forcePathStyle: true });
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'failed' }));
    expect(Contents).toHaveLength(1);
    expect(Contents![0]!.Key).toMatch(
      /^aws\/lambda\/stream\/shardId-[\w-]+\/2027\/01\/04\/2027-01-04T08\.\d\d\.\d\d-[\w-]+$/,
    );
    const object = await s3.send(new GetObjectCommand({ Bucket: 'failed', Key: Contents![0]!.Key! }));
    const record = JSON.parse(await object.Body!.transformToString());
    expect(record).toMatchObject({
      requestContext: { condition: 'RetryAttemptsExhausted', approximateInvokeCount: 3 },
      responseContext: { functionError: 'Unhandled' },
      DDBStreamBatchInfo: { batchSize: 1 },
    });
    expect(rows(JSON.parse(record.payload))).toEqual(['a3']);
  });

  it('goes on from its checkpoint after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rouse-stream-'));
    const store = await SqliteStore.open(folder);
    onTestFinished(() => {
      store.close();
      rmSync(folder, { recursive: true });
    });
    const seen: string[] = [];
    const world = await withStream((event) => void seen.push(...rows(event)), { parallelizationFactor: 4 }, store);
    await world.put('a', '1');
    await world.settled();
    world.mappings.close();
    await world.put('a', '2');
    await world.put('b', '1');
    const restarted = mappingsOn(world.environment, world.services);
    restarted.define(world.definition);
    restarted.startAll();
    await world.settled();
    expect(seen.toSorted()).toEqual(['a1', 'a2', 'b1']);
  });

  it('starts at LATEST without what came before', async () => {
    const seen: string[] = [];
    const { put, settled, mappings, definition } = await withStream((event) => void seen.push(...rows(event)), {
      enabled: false,
    });
    await put('a', '1');
    mappings.define({ ...definition, enabled: true, startingPosition: 'LATEST' });
    await put('a', '2');
    await settled();
    expect(seen).toEqual(['a2']);
  });

  it('waits for the batching window unless a batch is full', async () => {
    const seen: string[][] = [];
    const { put, settled, advance } = await withStream((event) => void seen.push(rows(event)), {
      maximumBatchingWindowInSeconds: 5,
      batchSize: 2,
    });
    await put('a', '1');
    await advance(4_000);
    expect(seen).toEqual([]);
    await put('a', '2');
    await settled();
    expect(seen).toEqual([['a1', 'a2']]);
    await put('a', '3');
    await advance(5_000);
    expect(seen[1]).toEqual(['a3']);
  });

  it('is delivered twice or late when faults say so', async () => {
    const seen: string[] = [];
    const { put, settled, advance, environment } = await withStream((event) => void seen.push(...rows(event)));
    environment.faults.addDelivery((delivery) =>
      delivery.source === 'stream' ? { copies: 2, delayMs: 1000 } : undefined,
    );
    await put('a', '1');
    await settled();
    expect(seen).toEqual([]);
    await advance(1000);
    expect(seen).toEqual(['a1', 'a1']);
  });
});

/** What lies in the bucket of failed batches. */
async function failures(world: Awaited<ReturnType<typeof withStream>>) {
  const s3 = client(S3Client, world.wire, { forcePathStyle: true });
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: 'failed' }));
  const bodies = Contents.map(async ({ Key }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'failed', Key: Key! }));
    return JSON.parse(await Body!.transformToString());
  });
  return Promise.all(bodies);
}

const onFailure = { onFailureDestinationArn: 'arn:aws:s3:::failed' };

describe('a stream whose function fails', () => {
  it('retries without end, and lets nothing pass, when no limit is set', async () => {
    let tries = 0;
    const seen: string[] = [];
    const world = await withStream((event) => {
      tries += 1;
      if (tries <= 20) throw new Error('broken');
      seen.push(...rows(event));
    });
    await world.put('a', '1');
    await world.settled();
    await world.put('a', '2');
    await world.advance(600_000);
    expect(seen).toEqual(['a1', 'a2']);
  });

  it('gives up a whole batch that cannot be cut, and goes on with the next', async () => {
    const seen: string[] = [];
    const world = await withStream(
      (event) => {
        if (rows(event).includes('a2')) throw new Error('poison');
        seen.push(...rows(event));
      },
      { maximumRetryAttempts: 1, ...onFailure },
    );
    world.services.s3.createBucket('failed');
    await Promise.all([world.put('a', '1'), world.put('a', '2')]);
    await world.advance(60_000);
    await world.put('a', '3');
    await world.advance(60_000);
    expect(seen).toEqual(['a3']);
    const [failure] = await failures(world);
    expect(failure.DDBStreamBatchInfo).toMatchObject({ batchSize: 2, streamArn: world.definition.eventSourceArn });
    expect(rows(JSON.parse(failure.payload))).toEqual(['a1', 'a2']);
  });

  it('is cut at the record that the function reports, not in halves', async () => {
    const seen: string[][] = [];
    const world = await withStream(
      (event) => {
        seen.push(rows(event));
        const from = rows(event).indexOf('a2');
        const failed = seen.length === 1 ? event.Records.slice(from, from + 1) : [];
        return { batchItemFailures: failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb.SequenceNumber })) };
      },
      { bisectBatchOnFunctionError: true },
    );
    await Promise.all(['1', '2', '3', '4', '5'].map((sk) => world.put('a', sk)));
    await world.advance(10_000);
    expect(seen).toEqual([
      ['a1', 'a2', 'a3', 'a4', 'a5'],
      ['a2', 'a3', 'a4', 'a5'],
    ]);
  });

  it('takes the lowest of several reported records as the place to go on from', async () => {
    const seen: string[][] = [];
    const world = await withStream((event) => {
      seen.push(rows(event));
      const failed = seen.length === 1 ? [event.Records[2]!, event.Records[1]!] : [];
      return { batchItemFailures: failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb.SequenceNumber })) };
    });
    await Promise.all(['1', '2', '3'].map((sk) => world.put('a', sk)));
    await world.advance(10_000);
    expect(seen[1]).toEqual(['a2', 'a3']);
  });

  it('gives up records that have become too old, with that reason', async () => {
    const world = await withStream(
      () => {
        throw new Error('broken');
      },
      { maximumRecordAgeInSeconds: 60, ...onFailure },
    );
    world.services.s3.createBucket('failed');
    await world.put('a', '1');
    await world.advance(120_000);
    const [failure] = await failures(world);
    expect(failure.requestContext.condition).toBe('MaximumRecordAgeExceeded');
    expect(rows(JSON.parse(failure.payload))).toEqual(['a1']);
  });

  it('keeps the order of every key through failures and lanes', async () => {
    const done: string[] = [];
    let calls = 0;
    const world = await withStream(
      (event) => {
        calls += 1;
        if (calls % 3 === 1) throw new Error('now and then');
        done.push(...rows(event));
      },
      { parallelizationFactor: 4, batchSize: 3, bisectBatchOnFunctionError: true },
    );
    for (let sk = 1; sk <= 9; sk += 1) for (const pk of ['a', 'b', 'c']) await world.put(pk, String(sk));
    await world.advance(600_000);
    for (const pk of ['a', 'b', 'c'])
      expect(done.filter((row) => row.startsWith(pk))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((sk) => `${pk}${sk}`));
  });

  it('passes over what matches no filter', async () => {
    const seen: string[] = [];
    const world = await withStream((event) => void seen.push(...rows(event)), {
      filterPatterns: [JSON.stringify({ dynamodb: { Keys: { pk: { S: ['b'] } } } })],
    });
    await world.put('a', '1');
    await world.put('b', '1');
    await world.settled();
    expect(seen).toEqual(['b1']);
  });
});
