import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
  TagQueueCommand,
} from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import type { ManualClock } from '../../local/clock.ts';
import { SqsService } from '../../local/services/sqs/service.ts';
import { client, KeptStore, makeEnvironment, makeWire } from '../support/embedded.ts';

function setUp() {
  const environment = makeEnvironment();
  const service = new SqsService(environment);
  const sqs = client(SQSClient, makeWire(environment, service));
  const create = async (name: string, Attributes: Record<string, string> = {}) => {
    if (name.endsWith('.fifo')) Attributes = { FifoQueue: 'true', ...Attributes };
    return (await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }))).QueueUrl!;
  };
  const send = (QueueUrl: string, MessageBody: string, more: object = {}) =>
    sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
  const receive = async (QueueUrl: string, more: object = {}) =>
    (await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }))).Messages ?? [];
  const bodies = async (url: string, more: object = {}) => (await receive(url, more)).map((message) => message.Body);
  const remove = (QueueUrl: string, ReceiptHandle: string | undefined) =>
    sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  return { environment, clock: environment.clock, service, sqs, create, send, receive, bodies, remove };
}

function pass(clock: ManualClock, ms: number) {
  const until = clock.now() + ms;
  while (clock.step(until));
}

describe('a queue', () => {
  it('is listed by prefix in pages', async () => {
    const { sqs, create } = setUp();
    const url = await create('a-1');
    await create('a-2');
    await create('b');
    const first = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: 'a', MaxResults: 1 }));
    expect(first.QueueUrls).toEqual([url]);
    const second = await sqs.send(
      new ListQueuesCommand({ QueueNamePrefix: 'a', MaxResults: 1, NextToken: first.NextToken }),
    );
    expect(second.QueueUrls).toEqual([url.replace('a-1', 'a-2')]);
    expect(second.NextToken).toBeUndefined();
  });

  it('refuses bad names and attributes', async () => {
    const { create } = setUp();
    await expect(create('a b')).rejects.toMatchObject({ name: 'InvalidParameterValue' });
    await expect(create('a', { Colour: 'red' })).rejects.toMatchObject({ name: 'InvalidAttributeName' });
    await expect(create('a', { DeduplicationScope: 'queue' })).rejects.toMatchObject({ name: 'InvalidAttributeName' });
  });

  it('cannot be made again within a minute of its deletion', async () => {
    const { sqs, create, send, clock } = setUp();
    const url = await create('a');
    await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    await expect(send(url, 'x')).rejects.toMatchObject({
      name: 'QueueDoesNotExist',
      Code: 'AWS.SimpleQueueService.NonExistentQueue',
    });
    await expect(create('a')).rejects.toMatchObject({ name: 'QueueDeletedRecently' });
    pass(clock, 60_000);
    expect(await create('a')).toBe(url);
  });

  it('tells its attributes, set or not, and its tags', async () => {
    const { sqs, create } = setUp();
    const url = await create('a', { DelaySeconds: '0' });
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { VisibilityTimeout: '7' } }));
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
    expect(Attributes).toMatchObject({
      QueueArn: 'arn:aws:sqs:us-east-1:000000000000:a',
      VisibilityTimeout: '7',
      MessageRetentionPeriod: '345600',
    });
    await sqs.send(new TagQueueCommand({ QueueUrl: url, Tags: { agent: 'x' } }));
    expect((await sqs.send(new ListQueueTagsCommand({ QueueUrl: url }))).Tags).toEqual({ agent: 'x' });
  });
});

describe('a message', () => {
  it('arrives with its attributes and the digests that the SDK checks', async () => {
    const { create, send, receive } = setUp();
    const url = await create('a');
    const attributes = {
      kind: { DataType: 'String', StringValue: 'é' },
      raw: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2]) },
    };
    const sent = await send(url, 'hello', { MessageAttributes: attributes });
    const [message] = await receive(url, { MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'] });
    expect(message).toMatchObject({ Body: 'hello', MessageId: sent.MessageId, MessageAttributes: attributes });
    expect(message?.MD5OfMessageAttributes).toBe(sent.MD5OfMessageAttributes);
    expect(message?.Attributes).toMatchObject({ ApproximateReceiveCount: '1', SentTimestamp: expect.any(String) });
  });

  it('is invisible while in flight and comes back when its time is over', async () => {
    const { clock, create, send, bodies } = setUp();
    const url = await create('a');
    await send(url, 'x');
    expect(await bodies(url)).toEqual(['x']);
    pass(clock, 29_999);
    expect(await bodies(url)).toEqual([]);
    pass(clock, 1);
    expect(await bodies(url)).toEqual(['x']);
  });

  it('is kept by an old receipt handle', async () => {
    const { clock, create, send, receive, remove } = setUp();
    const url = await create('a');
    await send(url, 'x');
    const [first] = await receive(url);
    pass(clock, 30_000);
    await receive(url);
    await remove(url, first?.ReceiptHandle);
    pass(clock, 30_000);
    expect(await receive(url)).toHaveLength(1);
  });

  it('is delayed by its own time or the queue’s', async () => {
    const { clock, create, send, bodies } = setUp();
    const url = await create('a', { DelaySeconds: '10' });
    await send(url, 'late');
    await send(url, 'soon', { DelaySeconds: 2 });
    pass(clock, 2000);
    expect(await bodies(url)).toEqual(['soon']);
    pass(clock, 8000);
    expect(await bodies(url)).toEqual(['late']);
  });

  it('is forgotten after the retention period', async () => {
    const { clock, create, send, bodies } = setUp();
    const url = await create('a', { MessageRetentionPeriod: '60' });
    await send(url, 'x');
    pass(clock, 60_000);
    expect(await bodies(url)).toEqual([]);
  });

  it('may hold 1 MiB', async () => {
    const { create, send } = setUp();
    const url = await create('a');
    await send(url, 'x'.repeat(1_048_576));
  });

  it('goes to the dead-letter queue when it was received too often', async () => {
    const { clock, create, send, bodies, receive } = setUp();
    const dead = await create('dead');
    const policy = { deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:dead', maxReceiveCount: 2 };
    const url = await create('a', { RedrivePolicy: JSON.stringify(policy) });
    await send(url, 'x');
    for (let round = 0; round < 2; round++) {
      expect(await bodies(url)).toEqual(['x']);
      pass(clock, 30_000);
    }
    expect(await bodies(url)).toEqual([]);
    const [message] = await receive(dead, { MessageSystemAttributeNames: ['All'] });
    expect(message).toMatchObject({
      Body: 'x',
      Attributes: { DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:000000000000:a', ApproximateReceiveCount: '1' },
    });
  });
});

describe('long polling', () => {
  it('wakes when a message becomes visible', async () => {
    const { clock, create, send, bodies } = setUp();
    const url = await create('a');
    const waiting = bodies(url, { WaitTimeSeconds: 20 });
    await send(url, 'later', { DelaySeconds: 5 });
    pass(clock, 5000);
    expect(await waiting).toEqual(['later']);
  });

  it('ends with an error when the queue is deleted', async () => {
    const { sqs, create, bodies } = setUp();
    const url = await create('a');
    const refused = expect(bodies(url, { WaitTimeSeconds: 20 })).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
    await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    await refused;
  });
});

describe('a batch', () => {
  it('is refused as a whole when it is too long', async () => {
    const { sqs, create } = setUp();
    const QueueUrl = await create('a');
    const Entries = ['a', 'b'].map((Id) => ({ Id, MessageBody: 'x'.repeat(600_000) }));
    const batch = sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await expect(batch).rejects.toMatchObject({ name: 'BatchRequestTooLong' });
  });
});

describe('a FIFO queue', () => {
  const group = (MessageGroupId: string, MessageDeduplicationId?: string) => ({
    MessageGroupId,
    MessageDeduplicationId,
  });

  it('delivers a group again from its first message that came back', async () => {
    const { sqs, create, send, receive, bodies, remove } = setUp();
    const url = await create('q.fifo', { ContentBasedDeduplication: 'true' });
    for (const body of ['1', '2', '3']) await send(url, body, group('a'));
    const [one, two, three] = await receive(url);
    await remove(url, one?.ReceiptHandle);
    const show = (handle: string | undefined) =>
      sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle: handle, VisibilityTimeout: 0 }));
    await show(three?.ReceiptHandle);
    expect(await bodies(url)).toEqual([]);
    await show(two?.ReceiptHandle);
    expect(await bodies(url)).toEqual(['2', '3']);
  });

  it('takes a message with the same id once in five minutes', async () => {
    const { clock, create, send, bodies } = setUp();
    const url = await create('q.fifo');
    const first = await send(url, 'x', group('a', 'id'));
    const again = await send(url, 'y', group('b', 'id'));
    expect(again).toMatchObject({ MessageId: first.MessageId, SequenceNumber: first.SequenceNumber });
    expect(await bodies(url)).toEqual(['x']);
    pass(clock, 300_000);
    await send(url, 'z', group('c', 'id'));
    expect(await bodies(url)).toEqual(['x', 'z']);
  });

  it('refuses a receipt handle whose time is over', async () => {
    const { clock, create, send, receive, remove } = setUp();
    const url = await create('q.fifo');
    await send(url, 'x', group('a', 'id'));
    const [message] = await receive(url);
    pass(clock, 30_000);
    await expect(remove(url, message?.ReceiptHandle)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });
});

describe('for an event source mapping', () => {
  it('tells when messages can be received, and hands them out', async () => {
    const { clock, service, create, send } = setUp();
    await create('a');
    const arn = service.queueArn('a');
    let calls = 0;
    service.onMessageVisible(arn, () => {
      calls += 1;
    });
    await send('a', 'x');
    expect(calls).toBe(1);
    const [message] = service.receiveFor(arn, 10, 5);
    expect(message).toMatchObject({ Body: 'x', Attributes: { ApproximateReceiveCount: '1' } });
    pass(clock, 5000);
    expect(calls).toBe(2);
    const [again] = service.receiveFor(arn, 10);
    service.changeVisibilityFor(arn, again!.ReceiptHandle, 0);
    expect(calls).toBe(3);
    service.deleteFor(arn, service.receiveFor(arn, 1)[0]!.ReceiptHandle);
    expect(service.receiveFor(arn, 1)).toEqual([]);
  });

  it('loses, repeats and delays messages as faults say', async () => {
    const { environment, clock, service, create, bodies } = setUp();
    const url = await create('a');
    const arn = service.queueArn('a');
    const send = (fault: object) => {
      const remove = environment.faults.addDelivery(() => fault);
      service.sendInternal(arn, 'x');
      remove();
    };
    send({ copies: 0 });
    expect(await bodies(url)).toEqual([]);
    send({ copies: 2 });
    expect(await bodies(url)).toEqual(['x', 'x']);
    send({ delayMs: 1000 });
    expect(await bodies(url)).toEqual([]);
    pass(clock, 1000);
    expect(await bodies(url)).toEqual(['x']);
  });
});

it('remembers queues, messages and what is in flight after a restart', async () => {
  const environment = makeEnvironment({ store: new KeptStore() });
  const before = new SqsService(environment);
  const sqs = client(SQSClient, makeWire(environment, before));
  const fifo = { FifoQueue: 'true', ContentBasedDeduplication: 'true' };
  await sqs.send(new CreateQueueCommand({ QueueName: 'q.fifo', Attributes: fifo }));
  const arn = before.queueArn('q.fifo');
  for (const body of ['1', '2']) before.sendInternal(arn, body, { groupId: 'a' });
  before.receiveFor(arn, 1);
  const after = new SqsService(environment);
  expect(after.receiveFor(arn, 1)).toEqual([]);
  pass(environment.clock, 30_000);
  expect(after.receiveFor(arn, 10).map((message) => message.Body)).toEqual(['1', '2']);
});
