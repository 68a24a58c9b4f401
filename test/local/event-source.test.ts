import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DynamoDbService } from '../../local/services/dynamodb/service.ts';
import { compilePattern } from '../../local/services/events/pattern.ts';
import { failureDestination, queuePort, streamPort } from '../../local/services/lambda/event-source/adapters.ts';
import { EventSourceMappings, type MappingDefinition } from '../../local/services/lambda/event-source/mappings.ts';
import { InProcessRunner } from '../../local/services/lambda/in-process-runner.ts';
import { LambdaService } from '../../local/services/lambda/service.ts';
import { S3Service } from '../../local/services/s3/service.ts';
import { SqsService } from '../../local/services/sqs/service.ts';
import { SqliteStore, type Store } from '../../local/store.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

interface SqsEvent {
  Records: { messageId: string; body: string; eventSourceARN: string; attributes: Record<string, string> }[];
}
interface StreamEvent {
  Records: {
    eventName: string;
    dynamodb: { SequenceNumber: string; Keys: Record<string, { S: string }>; NewImage: Record<string, { S: string }> };
  }[];
}

const functionArn = 'arn:aws:lambda:us-east-1:000000000000:function:fn';

function mappingsOn(
  environment: ReturnType<typeof makeEnvironment>,
  services: { sqs: SqsService; s3: S3Service; dynamodb: DynamoDbService; lambda: LambdaService },
) {
  return new EventSourceMappings(environment, {
    queue: queuePort(services.sqs),
    stream: streamPort(services.dynamodb),
    invoke: (arn, event) => services.lambda.invokeWhenFree(arn, event),
    destination: failureDestination(environment, services.s3, services.sqs),
    compile: compilePattern,
  });
}

async function setUp<Event>(handler: (event: Event) => unknown, store?: Store) {
  const environment = makeEnvironment({ store });
  const sqs = new SqsService(environment);
  const s3 = new S3Service(environment);
  const dynamodb = new DynamoDbService(environment);
  let current = handler;
  const lambda = new LambdaService(
    environment,
    (fn) => new InProcessRunner(fn, (event) => current(event as Event), environment.clock),
  );
  const rest = {
    roleArn: '',
    codeFolder: '',
    handler: '',
    environment: {},
    timeoutSeconds: 10,
    memoryMiB: 128,
    logGroup: '',
  };
  await lambda.define({ logicalId: 'Fn', name: 'fn', arn: functionArn, ...rest });
  const services = { sqs, s3, dynamodb, lambda };
  const wire = makeWire(environment, sqs, s3, dynamodb);
  const mappings = mappingsOn(environment, services);
  mappings.startAll();
  const settled = () => environment.activity.settled();
  const advance = async (ms: number) => {
    const until = environment.clock.now() + ms;
    await settled();
    while (environment.clock.step(until)) await settled();
  };
  const handle = (next: (event: Event) => unknown) => {
    current = next;
  };
  return { environment, wire, services, mappings, settled, advance, handle };
}

async function withQueue(
  handler: (event: SqsEvent) => unknown,
  attributes: Record<string, string> = {},
  mapping: Partial<MappingDefinition> = {},
) {
  const world = await setUp(handler);
  const sdk = client(SQSClient, world.wire);
  const name = attributes.FifoQueue ? 'work.fifo' : 'work';
  const { QueueUrl } = await sdk.send(
    new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '60', ...attributes } }),
  );
  const eventSourceArn = world.services.sqs.queueArn(name);
  world.mappings.define({
    id: 'queue',
    eventSourceArn,
    functionArn,
    functionResponseTypes: ['ReportBatchItemFailures'],
    ...mapping,
  });
  const send = async (MessageBody: string, MessageGroupId?: string) => {
    const dedupe =
      MessageGroupId === undefined ? {} : { MessageGroupId, MessageDeduplicationId: `${MessageBody}-${Math.random()}` };
    await sdk.send(new SendMessageCommand({ QueueUrl, MessageBody, ...dedupe }));
  };
  const left = async () => {
    const AttributeNames = ['ApproximateNumberOfMessages' as const, 'ApproximateNumberOfMessagesNotVisible' as const];
    const { Attributes } = await sdk.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }));
    return Object.values(Attributes ?? {}).reduce((sum, count) => sum + Number(count), 0);
  };
  return { ...world, sdk, QueueUrl, send, left };
}

const bodies = (event: SqsEvent) => event.Records.map((record) => record.body);

describe('a queue', () => {
  it('is handed to the function as soon as something is visible, and emptied', async () => {
    const seen: SqsEvent[] = [];
    const { send, settled, left } = await withQueue((event) => void seen.push(event));
    await send('one');
    await settled();
    expect(bodies(seen[0]!)).toEqual(['one']);
    expect(seen[0]!.Records[0]).toMatchObject({
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:work',
      attributes: { ApproximateReceiveCount: '1' },
    });
    expect(await left()).toBe(0);
  });

  it('gives what an ended process was delivering to the next one at once', async () => {
    const seen: string[] = [];
    const { send, settled, left, mappings, environment, services, handle } = await withQueue(
      () => {
        throw new Error('The process ends.');
      },
      { FifoQueue: 'true', VisibilityTimeout: '180' },
    );
    await send('one', 'group');
    await send('two', 'group');
    await settled();
    mappings.close();
    handle((event) => void seen.push(...bodies(event)));
    const next = mappingsOn(environment, services);
    next.define({ id: 'queue', eventSourceArn: services.sqs.queueArn('work.fifo'), functionArn });
    next.startAll();
    await settled();
    expect(seen).toEqual(['one', 'two']);
    expect(await left()).toBe(0);
  });

  it('travels in batches', async () => {
    const seen: string[][] = [];
    const { sdk, QueueUrl, settled } = await withQueue((event) => void seen.push(bodies(event)), {}, { batchSize: 4 });
    const Entries = ['a', 'b', 'c', 'd', 'e'].map((Id) => ({ Id, MessageBody: Id }));
    await sdk.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await settled();
    expect(seen.map((batch) => batch.length)).toEqual([4, 1]);
  });

  it('keeps what a function reports as failed until the visibility timeout ends', async () => {
    const seen: string[][] = [];
    const { sdk, QueueUrl, settled, advance, left } = await withQueue((event) => {
      seen.push(bodies(event));
      const failed = seen.length === 1 ? event.Records.filter((record) => record.body === 'b') : [];
      return { batchItemFailures: failed.map((record) => ({ itemIdentifier: record.messageId })) };
    });
    const Entries = ['a', 'b', 'c'].map((Id) => ({ Id, MessageBody: Id }));
    await sdk.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await settled();
    expect(await left()).toBe(1);
    await advance(59_000);
    expect(seen).toHaveLength(1);
    await advance(1_000);
    expect(seen[1]).toEqual(['b']);
    expect(await left()).toBe(0);
  });

  it.each<[string, unknown]>([
    ['no list', { batchItemFailures: 'x' }],
    ['an empty identifier', { batchItemFailures: [{ itemIdentifier: '' }] }],
    ['an unknown identifier', { batchItemFailures: [{ itemIdentifier: 'x' }] }],
    ['another key', { batchItemFailures: [{ id: 'x' }] }],
    ['a string', 'done'],
  ])('retries the whole batch after a malformed response: %s', async (_case, response) => {
    const { send, settled, left } = await withQueue(() => response);
    await send('one');
    await settled();
    expect(await left()).toBe(1);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty object', {}],
    ['an empty list', { batchItemFailures: [] }],
    ['null', { batchItemFailures: null }],
  ])('counts as handled after %s', async (_case, response) => {
    const { send, settled, left } = await withQueue(() => response);
    await send('one');
    await settled();
    expect(await left()).toBe(0);
  });

  it('keeps the order of a group and lets groups pass each other', async () => {
    const seen: string[] = [];
    const fifo = { FifoQueue: 'true' };
    const { send, advance, settled } = await withQueue(
      (event) => {
        const failures = event.Records.filter(({ body }) => body.startsWith('a') && seen.length < 2);
        seen.push(...bodies(event));
        return { batchItemFailures: failures.map((record) => ({ itemIdentifier: record.messageId })) };
      },
      fifo,
      { batchSize: 1 },
    );
    await send('a1', 'a');
    await send('a2', 'a');
    await send('b1', 'b');
    await settled();
    expect(seen).toEqual(['a1', 'b1']);
    await advance(60_000);
    expect(seen).toEqual(['a1', 'b1', 'a1', 'a2']);
  });

  it('runs at most the maximum concurrency', async () => {
    let running = 0;
    let most = 0;
    const world = await withQueue(
      async () => {
        most = Math.max(most, ++running);
        await world.services.lambda.sleep(1000);
        running -= 1;
      },
      {},
      { batchSize: 1, maximumConcurrency: 2 },
    );
    for (const body of ['a', 'b', 'c', 'd', 'e']) await world.send(body);
    await world.advance(3000);
    expect(most).toBe(2);
    expect(await world.left()).toBe(0);
  });

  it('deletes messages that match no filter', async () => {
    const seen: string[] = [];
    const filterPatterns = [JSON.stringify({ body: { kind: ['agent'] } })];
    const { send, settled, left } = await withQueue(
      (event) => void seen.push(...bodies(event)),
      {},
      { filterPatterns },
    );
    await send('{"kind":"run"}');
    await send('{"kind":"agent"}');
    await settled();
    expect(seen).toEqual(['{"kind":"agent"}']);
    expect(await left()).toBe(0);
  });

  it('is refused with a batch size that FIFO queues lack', async () => {
    const { mappings } = await withQueue(() => undefined);
    const eventSourceArn = 'arn:aws:sqs:us-east-1:000000000000:x.fifo';
    expect(() => mappings.define({ id: 'x', eventSourceArn, functionArn, batchSize: 11 })).toThrow(
      'BatchSize must be an integer from 1 to 10, received 11.',
    );
  });
});

async function withStream(
  handler: (event: StreamEvent) => unknown,
  mapping: Partial<MappingDefinition> = {},
  store?: Store,
) {
  const world = await setUp(handler, store);
  const sdk = client(DynamoDBClient, world.wire);
  await sdk.send(
    new CreateTableCommand({
      TableName: 'state',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  );
  const definition: MappingDefinition = {
    id: 'stream',
    eventSourceArn: world.services.dynamodb.streamArn('state')!,
    functionArn,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: ['ReportBatchItemFailures'],
    ...mapping,
  };
  world.mappings.define(definition);
  const put = (pk: string, sk: string) =>
    sdk.send(new PutItemCommand({ TableName: 'state', Item: { pk: { S: pk }, sk: { S: sk } } }));
  return { ...world, definition, put };
}

const rows = (event: StreamEvent) => event.Records.map(({ dynamodb }) => dynamodb.Keys.pk!.S + dynamodb.Keys.sk!.S);

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
    const { ListObjectsV2Command, GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
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
