import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

type Attributes = Partial<Record<QueueAttributeName, string>>;

/** A queue of the claim's own. */
async function queue(world: World, attributes: Attributes = {}) {
  const sqs = world.client(SQSClient);
  const isFifo = attributes.FifoQueue === 'true';
  const name = `${world.unique('contract')}${isFifo ? '.fifo' : ''}`;
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  world.later(() => sqs.send(new DeleteQueueCommand({ QueueUrl })));
  const send = (MessageBody: string, more: Partial<SendMessageCommandInput> = {}) =>
    sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }));
  const receive = async (more: Partial<ReceiveMessageCommandInput> = {}) => {
    const input = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All' as const], ...more };
    return (await sqs.send(new ReceiveMessageCommand(input))).Messages ?? [];
  };
  const bodies = async (more: Partial<ReceiveMessageCommandInput> = {}) =>
    (await receive(more)).map((message) => message.Body);
  const remove = (ReceiptHandle: string | undefined) => sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  const attribute = async (attributeName: QueueAttributeName) => {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [attributeName] });
    return (await sqs.send(command)).Attributes?.[attributeName];
  };
  return { sqs, name, QueueUrl: QueueUrl!, send, receive, bodies, remove, attribute };
}

const fifo = (more: Attributes = {}): Attributes => ({ FifoQueue: 'true', ...more });
const inGroup = (group: string, id: string) => ({ MessageGroupId: group, MessageDeduplicationId: id });

contract('SQS', (claim) => {
  claim('CreateQueue', 'the same name and attributes give the same queue', async (world) => {
    const { sqs, name, QueueUrl } = await queue(world, { VisibilityTimeout: '7' });
    const again = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '7' } }));
    expect(again.QueueUrl).toBe(QueueUrl);
  });

  claim('CreateQueue', 'the same name with another attribute is refused', async (world) => {
    const { sqs, name } = await queue(world, { VisibilityTimeout: '7' });
    const again = sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: '8' } }));
    await expect(again).rejects.toMatchObject({ name: 'QueueNameExists' });
  });

  claim('CreateQueue', 'an attribute out of its range is refused', async (world) => {
    await expect(queue(world, { VisibilityTimeout: '43201' })).rejects.toMatchObject({ name: 'InvalidAttributeValue' });
  });

  claim('GetQueueUrl', 'finds a queue by its name', async (world) => {
    const { sqs, name, QueueUrl } = await queue(world);
    expect((await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl).toBe(QueueUrl);
  });

  claim('GetQueueUrl', 'of a queue that is not there is QueueDoesNotExist', async (world) => {
    const call = world.client(SQSClient).send(new GetQueueUrlCommand({ QueueName: world.unique('none') }));
    await expect(call).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
  });

  claim('ListQueues', 'finds queues by prefix', async (world) => {
    const { sqs, name, QueueUrl } = await queue(world);
    expect((await sqs.send(new ListQueuesCommand({ QueueNamePrefix: name }))).QueueUrls).toEqual([QueueUrl]);
  });

  claim('GetQueueAttributes', 'counts what is visible, in flight and delayed', async (world) => {
    const { send, receive, attribute } = await queue(world);
    await send('one');
    await send('two');
    await send('later', { DelaySeconds: 60 });
    await receive({ MaxNumberOfMessages: 1 });
    expect(await attribute('ApproximateNumberOfMessages')).toBe('1');
    expect(await attribute('ApproximateNumberOfMessagesNotVisible')).toBe('1');
    expect(await attribute('ApproximateNumberOfMessagesDelayed')).toBe('1');
  });

  claim('GetQueueAttributes', 'names the queue by its ARN', async (world) => {
    const { attribute, name } = await queue(world);
    expect(await attribute('QueueArn')).toBe(`arn:aws:sqs:${world.region}:${world.accountId}:${name}`);
  });

  claim('SetQueueAttributes', 'changes what the next receive hides', async (world) => {
    const { sqs, QueueUrl, send, bodies } = await queue(world);
    await send('one');
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '0' } }));
    expect(await bodies()).toEqual(['one']);
    expect(await bodies()).toEqual(['one']);
  });

  claim('DeleteQueue', 'takes the queue away', async (world) => {
    const { sqs, QueueUrl, send } = await queue(world);
    await sqs.send(new DeleteQueueCommand({ QueueUrl }));
    await world.after(1000);
    await expect(send('one')).rejects.toMatchObject({ name: 'QueueDoesNotExist' });
  });

  claim('SendMessage', 'answers with the id and the digest of the body', async (world) => {
    const { send, receive } = await queue(world);
    const sent = await send('hello');
    expect(sent.MD5OfMessageBody).toBe('5d41402abc4b2a76b9719d911017c592');
    expect((await receive())[0]).toMatchObject({ MessageId: sent.MessageId, Body: 'hello' });
  });

  claim('SendMessage', 'attributes travel with the message', async (world) => {
    const { send, receive } = await queue(world);
    await send('one', { MessageAttributes: { kind: { DataType: 'String', StringValue: 'run' } } });
    const [message] = await receive({ MessageAttributeNames: ['All'] });
    expect(message!.MessageAttributes).toMatchObject({ kind: { DataType: 'String', StringValue: 'run' } });
  });

  claim('SendMessage', 'more than 1 MiB is refused', async (world) => {
    const { send } = await queue(world);
    await expect(send('x'.repeat(1_048_577))).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  claim('SendMessage', 'a control character is refused', async (world) => {
    const { send } = await queue(world);
    await expect(send('a\u0001b')).rejects.toMatchObject({ name: 'InvalidMessageContents' });
  });

  claim('SendMessage', 'a delay hides the message for its time', async (world) => {
    const { send, bodies } = await queue(world);
    await send('late', { DelaySeconds: 1 });
    expect(await bodies()).toEqual([]);
    await world.after(1500);
    expect(await bodies()).toEqual(['late']);
  });

  claim('SendMessage', 'a FIFO queue needs a group', async (world) => {
    const { send } = await queue(world, fifo());
    await expect(send('one')).rejects.toMatchObject({ name: 'MissingParameter' });
  });

  claim('SendMessage', 'a FIFO queue without content-based deduplication needs an id', async (world) => {
    const { send } = await queue(world, fifo());
    await expect(send('one', { MessageGroupId: 'g' })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  claim('SendMessage', 'a FIFO queue takes no delay of a message', async (world) => {
    const { send } = await queue(world, fifo());
    const call = send('one', { ...inGroup('g', '1'), DelaySeconds: 1 });
    await expect(call).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  claim('SendMessage', 'the same deduplication id is delivered once, also after its message is gone', async (world) => {
    const { send, receive, bodies, remove } = await queue(world, fifo());
    const first = await send('one', inGroup('g', '1'));
    const second = await send('two', inGroup('g', '1'));
    expect(second.MessageId).toBe(first.MessageId);
    const [message] = await receive();
    await remove(message!.ReceiptHandle);
    await send('three', inGroup('g', '1'));
    expect(await bodies()).toEqual([]);
  });

  claim('SendMessage', 'content-based deduplication goes by the body', async (world) => {
    const { send, bodies } = await queue(world, fifo({ ContentBasedDeduplication: 'true' }));
    for (const body of ['one', 'one', 'two']) await send(body, { MessageGroupId: 'g' });
    expect(await bodies()).toEqual(['one', 'two']);
  });

  claim('SendMessage', 'with a scope of groups, ids of two groups are apart', async (world) => {
    const { send, bodies } = await queue(
      world,
      fifo({ DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' }),
    );
    await send('one', inGroup('a', '1'));
    await send('two', inGroup('b', '1'));
    expect((await bodies()).toSorted()).toEqual(['one', 'two']);
  });

  claim('SendMessageBatch', 'reports each entry for itself', async (world) => {
    const { sqs, QueueUrl } = await queue(world);
    const Entries = [
      { Id: 'good', MessageBody: 'one' },
      { Id: 'bad', MessageBody: 'two', DelaySeconds: 901 },
    ];
    const { Successful = [], Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    expect(Successful.map(({ Id }) => Id)).toEqual(['good']);
    expect(Failed).toMatchObject([{ Id: 'bad', SenderFault: true }]);
  });

  claim('SendMessageBatch', 'no entry, eleven entries or the same id twice are refused', async (world) => {
    const { sqs, QueueUrl } = await queue(world);
    const batch = (ids: string[]) =>
      sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries: ids.map((Id) => ({ Id, MessageBody: Id })) }));
    await expect(batch([])).rejects.toMatchObject({ name: 'EmptyBatchRequest' });
    await expect(batch('abcdefghijk'.split(''))).rejects.toMatchObject({ name: 'TooManyEntriesInBatchRequest' });
    await expect(batch(['a', 'a'])).rejects.toMatchObject({ name: 'BatchEntryIdsNotDistinct' });
  });

  claim('ReceiveMessage', 'hides what it hands out for the visibility timeout, and counts', async (world) => {
    const { send, receive } = await queue(world, { VisibilityTimeout: '1' });
    await send('one');
    expect((await receive())[0]!.Attributes).toMatchObject({ ApproximateReceiveCount: '1' });
    expect(await receive()).toEqual([]);
    await world.after(1500);
    expect((await receive())[0]!.Attributes).toMatchObject({ ApproximateReceiveCount: '2' });
  });

  claim('ReceiveMessage', 'waits for a message that comes within its time', async (world) => {
    const { send, bodies } = await queue(world);
    const waiting = bodies({ WaitTimeSeconds: 5 });
    await world.after(200);
    await send('one');
    expect(await waiting).toEqual(['one']);
  });

  claim('ReceiveMessage', 'ends empty when its time is over', async (world) => {
    const { bodies } = await queue(world);
    const waiting = bodies({ WaitTimeSeconds: 1 });
    await world.after(1100);
    expect(await waiting).toEqual([]);
  });

  claim('ReceiveMessage', 'a group stays in order, and blocked while one of it is in flight', async (world) => {
    const { send, receive, bodies, remove } = await queue(world, fifo());
    for (const body of ['a1', 'a2', 'a3']) await send(body, inGroup('a', body));
    await send('b1', inGroup('b', 'b1'));
    const [first] = await receive({ MaxNumberOfMessages: 1 });
    expect(first!.Body).toBe('a1');
    expect(await bodies()).toEqual(['b1']);
    await remove(first!.ReceiptHandle);
    expect(await bodies()).toEqual(['a2', 'a3']);
  });

  claim('ReceiveMessage', 'a group that was not deleted comes again from its first message', async (world) => {
    const { send, bodies } = await queue(world, fifo({ VisibilityTimeout: '1' }));
    for (const body of ['a1', 'a2']) await send(body, inGroup('a', body));
    expect(await bodies()).toEqual(['a1', 'a2']);
    await world.after(1500);
    expect(await bodies()).toEqual(['a1', 'a2']);
  });

  claim('ReceiveMessage', 'tells group, deduplication id and sequence', async (world) => {
    const { send, receive } = await queue(world, fifo());
    await send('one', inGroup('g', 'id'));
    expect((await receive())[0]!.Attributes).toMatchObject({
      MessageGroupId: 'g',
      MessageDeduplicationId: 'id',
      SequenceNumber: expect.stringMatching(/^\d+$/),
    });
  });

  claim('ReceiveMessage', 'after the last receive a message goes to the dead-letter queue', async (world) => {
    const dead = await queue(world);
    const deadLetterTargetArn = await dead.attribute('QueueArn');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 });
    const { send, bodies } = await queue(world, { VisibilityTimeout: '0', RedrivePolicy });
    await send('poison');
    expect(await bodies()).toEqual(['poison']);
    expect(await bodies()).toEqual([]);
    const [letter] = await dead.receive();
    expect(letter!.Body).toBe('poison');
  });

  claim('ReceiveMessage', 'a group goes on when its first message went to the dead-letter queue', async (world) => {
    const dead = await queue(world, fifo());
    const deadLetterTargetArn = await dead.attribute('QueueArn');
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 });
    const { send, bodies } = await queue(world, fifo({ VisibilityTimeout: '1', RedrivePolicy }));
    for (const body of ['a1', 'a2']) await send(body, inGroup('a', body));
    expect(await bodies({ MaxNumberOfMessages: 1 })).toEqual(['a1']);
    await world.after(1500);
    expect(await bodies()).toEqual(['a2']);
    expect(await dead.bodies()).toEqual(['a1']);
  });

  claim('ReceiveMessage', 'more than ten messages at once are refused', async (world) => {
    const { receive } = await queue(world);
    await expect(receive({ MaxNumberOfMessages: 11 })).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  claim('DeleteMessage', 'by an old receipt handle of a standard queue is no error', async (world) => {
    const { send, receive, remove } = await queue(world, { VisibilityTimeout: '0' });
    await send('one');
    const [first] = await receive();
    const [second] = await receive();
    await remove(second!.ReceiptHandle);
    await remove(first!.ReceiptHandle);
    expect(await receive()).toEqual([]);
  });

  claim('DeleteMessage', 'a made-up receipt handle is refused', async (world) => {
    const { remove } = await queue(world);
    await expect(remove('nonsense')).rejects.toMatchObject({ name: 'ReceiptHandleIsInvalid' });
  });

  claim('DeleteMessageBatch', 'deletes what it can and tells the rest', async (world) => {
    const { sqs, QueueUrl, send, receive } = await queue(world, { VisibilityTimeout: '0' });
    await send('one');
    const [message] = await receive({ VisibilityTimeout: 30 });
    const Entries = [
      { Id: 'good', ReceiptHandle: message!.ReceiptHandle },
      { Id: 'bad', ReceiptHandle: 'nonsense' },
    ];
    const { Successful, Failed } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(Successful).toEqual([{ Id: 'good' }]);
    expect(Failed).toMatchObject([{ Id: 'bad', Code: 'ReceiptHandleIsInvalid', SenderFault: true }]);
  });

  claim('ChangeMessageVisibility', 'shows a message at once, or hides it longer', async (world) => {
    const { sqs, QueueUrl, send, receive, bodies } = await queue(world, { VisibilityTimeout: '1' });
    await send('one');
    const change = async (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
      sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }));
    await change((await receive())[0]!.ReceiptHandle, 0);
    const [shown] = await receive();
    expect(shown!.Body).toBe('one');
    await change(shown!.ReceiptHandle, 30);
    await world.after(1500);
    expect(await bodies()).toEqual([]);
  });

  claim('ChangeMessageVisibility', 'of a message that is not in flight is refused', async (world) => {
    const { sqs, QueueUrl, send, receive } = await queue(world, { VisibilityTimeout: '1' });
    await send('one');
    const [message] = await receive();
    await world.after(1500);
    const ReceiptHandle = message!.ReceiptHandle;
    const call = sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 30 }));
    await expect(call).rejects.toMatchObject({ name: 'MessageNotInflight' });
  });

  claim('PurgeQueue', 'empties the queue', async (world) => {
    const { sqs, QueueUrl, send, attribute } = await queue(world);
    await send('one');
    await sqs.send(new PurgeQueueCommand({ QueueUrl }));
    expect(await attribute('ApproximateNumberOfMessages')).toBe('0');
  });

  claim('PurgeQueue', 'twice within a minute is refused', async (world) => {
    const { sqs, QueueUrl } = await queue(world);
    await sqs.send(new PurgeQueueCommand({ QueueUrl }));
    const again = sqs.send(new PurgeQueueCommand({ QueueUrl }));
    await expect(again).rejects.toMatchObject({ name: 'PurgeQueueInProgress' });
  });
});
