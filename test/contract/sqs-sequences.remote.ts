/**
 * Random sequences of sends, receives, deletions and changes of visibility on queues with dead letters: the embedded
 * SQS's answers against the backend's. No visibility timeout ends meanwhile: time is a matter of the claims in sqs.test.ts.
 */
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { expect, it, onTestFinished } from 'vitest';
import { SqsService } from '../../local/services/sqs/service.ts';
import { Draw } from '../differential/draw.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';
import { backend } from './backend.ts';

type Step =
  | { kind: 'send'; body: string; group: string; id: string }
  | { kind: 'receive' }
  | { kind: 'delete' | 'show'; body: string };

const maxReceiveCount = 3;
/** No more than one receive can hand out: which it leaves behind is not promised. */
const maxMessages = 9;

/** One queue with its dead letters, on one of the two sides. */
class Side {
  private readonly sqs: SQSClient;
  private readonly isFifo: boolean;
  private url = '';
  private deadUrl = '';
  /** Receipt handles by body, of the last receive. */
  private readonly handles = new Map<string, string>();

  constructor(sqs: SQSClient, isFifo: boolean) {
    this.sqs = sqs;
    this.isFifo = isFifo;
  }

  async create(name: string): Promise<void> {
    const fifo = this.isFifo ? { FifoQueue: 'true' } : {};
    const create = async (suffix: string, more: Record<string, string>) => {
      const QueueName = `${name}-${suffix}${this.isFifo ? '.fifo' : ''}`;
      const Attributes = { VisibilityTimeout: '3600', ...fifo, ...more };
      return { QueueName, url: (await this.sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl! };
    };
    const dead = await create('dead', {});
    this.deadUrl = dead.url;
    const deadLetterTargetArn = `arn:aws:sqs:us-east-1:000000000000:${dead.QueueName}`;
    this.url = (await create('work', { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }) })).url;
  }

  async remove(): Promise<void> {
    for (const QueueUrl of [this.url, this.deadUrl]) await this.sqs.send(new DeleteQueueCommand({ QueueUrl }));
  }

  async perform(step: Step): Promise<unknown> {
    const QueueUrl = this.url;
    if (step.kind === 'send') {
      const fifo = this.isFifo ? { MessageGroupId: step.group, MessageDeduplicationId: step.id } : {};
      await this.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: step.body, ...fifo }));
      return undefined;
    }
    if (step.kind === 'receive') return this.receive();
    const ReceiptHandle = this.handles.get(step.body);
    if (ReceiptHandle === undefined) return undefined;
    if (step.kind === 'delete') await this.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    else await this.sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    this.handles.delete(step.body);
    return undefined;
  }

  /**
   * Bodies of the dead letters, when nothing else is left: whether a message goes there while its group is blocked is
   * not promised. Nor is whether its receives are counted on.
   */
  async dead(): Promise<unknown> {
    do {
      for (const body of [...this.handles.keys()]) await this.perform({ kind: 'delete', body });
      await this.receive();
    } while (this.handles.size > 0);
    const command = new ReceiveMessageCommand({ QueueUrl: this.deadUrl, MaxNumberOfMessages: 10 });
    return ((await this.sqs.send(command)).Messages ?? []).map(({ Body }) => Body).toSorted();
  }

  /** Bodies and counts of receives, group by group: the order of groups is not promised, nor that of a standard queue. */
  private async receive(): Promise<unknown> {
    const { Messages = [] } = await this.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: this.url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'] }),
    );
    for (const { Body, ReceiptHandle } of Messages) this.handles.set(Body!, ReceiptHandle!);
    const told = (message: Message) => `${message.Body} (${message.Attributes?.ApproximateReceiveCount})`;
    if (!this.isFifo) return Messages.map(told).toSorted();
    const groups = Map.groupBy(Messages, (message) => message.Attributes?.MessageGroupId);
    return Object.fromEntries([...groups].map(([group, messages]) => [group, messages.map(told)]));
  }
}

function stepsOf(draw: Draw): Step[] {
  const sent: string[] = [];
  return Array.from({ length: 60 }, (_, at): Step => {
    const body = sent.length > 0 ? draw.of(sent) : '';
    return draw.weighted<Step>([
      [
        sent.length < maxMessages ? 4 : 0,
        () => {
          const group = draw.of(['a', 'b']);
          sent.push(`${group}${at}`);
          return { kind: 'send', body: `${group}${at}`, group, id: `${draw.below(30)}` };
        },
      ],
      [4, () => ({ kind: 'receive' })],
      [4, () => ({ kind: 'show', body })],
      [
        sent.length > 0 ? 2 : 0,
        () => {
          sent.splice(sent.indexOf(body), 1);
          return { kind: 'delete', body };
        },
      ],
    ]);
  });
}

it.each(Array.from({ length: 20 }, (_, seed) => [seed, seed % 2 === 0] as const))(
  'random sequences on a queue are answered alike (seed %d, FIFO %s)',
  { timeout: 60_000 },
  async (seed, isFifo) => {
    const environment = makeEnvironment();
    const ours = new Side(client(SQSClient, makeWire(environment, new SqsService(environment))), isFifo);
    const theirs = new Side((await backend()).client(SQSClient), isFifo);
    const name = `sequence-${Date.now().toString(36)}-${seed}`;
    await Promise.all([ours.create(name), theirs.create(name)]);
    onTestFinished(() => theirs.remove());
    const done: string[] = [];
    for (const step of stepsOf(new Draw(seed))) {
      done.push(JSON.stringify(step));
      const [mine, other] = await Promise.all([ours.perform(step), theirs.perform(step)]);
      expect(mine, done.join('\n')).toEqual(other);
    }
    expect(await ours.dead()).toEqual(await theirs.dead());
  },
);
