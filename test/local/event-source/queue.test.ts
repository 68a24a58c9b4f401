import { ReceiveMessageCommand, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { bodies, functionArn, mappingsOn, type SqsEvent, withQueue } from './support.ts';

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

/** A queue whose messages go to the dead letters after `receives` receives. */
async function withDeadLetters(handler: (event: SqsEvent) => unknown, receives: number, isFifo: boolean) {
  const world = await withQueue(handler, {
    ...(isFifo && { FifoQueue: 'true' }),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${isFifo ? 'dead.fifo' : 'dead'}`,
      maxReceiveCount: receives,
    }),
  });
  const dead = async () => {
    const { Messages = [] } = await world.sdk.send(
      new ReceiveMessageCommand({
        QueueUrl: world.deadLetterUrl!,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    return Messages;
  };
  return { ...world, dead };
}

describe('what a function does not handle', () => {
  it('comes again as a whole batch when the function throws', async () => {
    const seen: string[][] = [];
    const { sdk, QueueUrl, settled, advance, left } = await withQueue((event) => {
      seen.push(bodies(event));
      if (seen.length === 1) throw new Error('broken');
    });
    const Entries = ['a', 'b'].map((Id) => ({ Id, MessageBody: Id }));
    await sdk.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await settled();
    expect(await left()).toBe(2);
    await advance(60_000);
    expect(seen.flat().toSorted()).toEqual(['a', 'a', 'b', 'b']);
    expect(await left()).toBe(0);
  });

  it('counts as handled when the mapping does not ask for reports', async () => {
    const { send, settled, left } = await withQueue(
      (event) => ({ batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) }),
      {},
      { functionResponseTypes: [] },
    );
    await send('one');
    await settled();
    expect(await left()).toBe(0);
  });

  it('goes to the dead letters after its last receive, and the others are handled', async () => {
    const tries: string[] = [];
    const { send, advance, left, dead } = await withDeadLetters(
      (event) => {
        tries.push(...bodies(event));
        const failed = event.Records.filter(({ body }) => body === 'poison');
        return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
      },
      3,
      false,
    );
    await send('good');
    await send('poison');
    await advance(300_000);
    expect(tries.toSorted()).toEqual(['good', 'poison', 'poison', 'poison']);
    expect(await left()).toBe(0);
    expect((await dead()).map(({ Body }) => Body)).toEqual(['poison']);
  });

  it('stops a FIFO group at its first failure, whose order holds until the poison is with the dead letters', async () => {
    const handled: string[] = [];
    const { send, advance, dead } = await withDeadLetters(
      (event) => {
        const first = event.Records.findIndex(({ body }) => body === 'a2');
        const done = first < 0 ? event.Records : event.Records.slice(0, first);
        handled.push(...done.map(({ body }) => body));
        const rest = event.Records.slice(done.length);
        return { batchItemFailures: rest.map(({ messageId }) => ({ itemIdentifier: messageId })) };
      },
      2,
      true,
    );
    for (const body of ['a1', 'a2', 'a3']) await send(body, 'a');
    await advance(1_000);
    expect(handled).toEqual(['a1']);
    await send('b1', 'b');
    await advance(58_000);
    expect(handled).toEqual(['a1', 'b1']);
    await advance(300_000);
    const [letter] = await dead();
    expect(letter).toMatchObject({ Body: 'a2', Attributes: { MessageGroupId: 'a' } });
    expect(letter!.Attributes!.DeadLetterQueueSourceArn).toBe('arn:aws:sqs:us-east-1:000000000000:work.fifo');
  });

  it('is told how often a message came', async () => {
    const counts: string[] = [];
    const { send, advance } = await withQueue((event) => {
      counts.push(event.Records[0]!.attributes.ApproximateReceiveCount!);
      if (counts.length < 3) throw new Error('not yet');
    });
    await send('one');
    await advance(120_000);
    expect(counts).toEqual(['1', '2', '3']);
  });
});
