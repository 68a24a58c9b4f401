import { AwsError, notEmulated, refuseUnknownParameters } from '../../errors.ts';
import type { CallContext, Environment, JsonService, Principal } from '../../service.ts';
import { numberOf } from './attributes.ts';
import { inBatch } from './batch.ts';
import { invalidValue, missingParameter, queryErrorHeader } from './errors.ts';
import { type MessageAttribute, type ReceivedMessage, select } from './message.ts';
import type { Queue } from './queue.ts';
import { type HeldQueue, type Input, Queues } from './queues.ts';
import { type SendAnswer, type SendRequest, send } from './sending.ts';

export interface InternalSend {
  groupId?: string;
  /** Otherwise a FIFO queue needs content-based deduplication. */
  dedupeId?: string;
  attributes?: Record<string, MessageAttribute>;
}

/** Amazon SQS: standard and FIFO queues. */
export class SqsService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'sqs';
  readonly targetPrefix = 'AmazonSQS';
  readonly jsonVersion = '1.0';
  readonly errorHeaders = queryErrorHeader;
  private readonly environment: Environment;
  private readonly queues: Queues;
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly operations: Record<
    string,
    { known: readonly string[]; run(input: Input, context: CallContext): unknown }
  >;

  constructor(environment: Environment) {
    this.environment = environment;
    this.queues = new Queues(environment, (queueArn) => {
      for (const listener of this.listeners.get(queueArn) ?? []) listener();
    });
    this.operations = this.table();
  }

  async call(operation: string, input: Input, context: CallContext): Promise<unknown> {
    const found = this.operations[operation];
    if (!found) throw notEmulated('sqs', `operation ${operation}`);
    refuseUnknownParameters('sqs', operation, input, found.known);
    return found.run(input, context);
  }

  queueArn(name: string): string {
    return this.queues.arn(name);
  }

  queueUrl(name: string): string {
    return this.queues.url(name);
  }

  /** Receives at once, for an event source mapping. @param visibilityTimeout seconds; the queue's own by default */
  receiveFor(queueArn: string, max: number, visibilityTimeout?: number): ReceivedMessage[] {
    const { queue } = this.queues.byArn(queueArn);
    return queue.take(max, this.visibilityMs(queue, visibilityTimeout));
  }

  /** Calls `listener` each time that messages can be received, and once now if there are any. Returns how to end that. */
  onMessageVisible(queueArn: string, listener: () => void): () => void {
    const listeners = this.listeners.get(queueArn) ?? new Set();
    this.listeners.set(queueArn, listeners.add(listener));
    const queue = this.queues.find(queueArn);
    if (queue?.available) queueMicrotask(() => listeners.has(listener) && listener());
    return () => listeners.delete(listener);
  }

  /** Makes visible at once what was received and not deleted: for a mapping whose functions have died. */
  returnInFlight(queueArn: string): void {
    this.queues.byArn(queueArn).queue.returnInFlight();
  }

  deleteFor(queueArn: string, receiptHandle: string): void {
    this.queues.byArn(queueArn).queue.delete(receiptHandle);
  }

  changeVisibilityFor(queueArn: string, receiptHandle: string, visibilityTimeout: number): void {
    const { queue } = this.queues.byArn(queueArn);
    queue.changeVisibility(receiptHandle, this.visibilityMs(queue, visibilityTimeout));
  }

  /** Sends for another service. @throws AwsError as SendMessage */
  sendInternal(queueArn: string, body: string, options: InternalSend = {}): SendAnswer {
    const request: SendRequest = { MessageBody: body };
    if (options.groupId !== undefined) request.MessageGroupId = options.groupId;
    if (options.dedupeId !== undefined) request.MessageDeduplicationId = options.dedupeId;
    if (options.attributes) request.MessageAttributes = options.attributes;
    return this.send(this.queues.byArn(queueArn), request, undefined);
  }

  private table(): SqsService['operations'] {
    const sending = [
      'MessageBody',
      'DelaySeconds',
      'MessageAttributes',
      'MessageSystemAttributes',
      'MessageDeduplicationId',
      'MessageGroupId',
    ];
    return {
      CreateQueue: { known: ['QueueName', 'Attributes', 'tags'], run: (input) => this.queues.create(input) },
      DeleteQueue: { known: ['QueueUrl'], run: (input) => this.queues.remove(input) },
      GetQueueUrl: {
        known: ['QueueName', 'QueueOwnerAWSAccountId'],
        run: (input) => ({ QueueUrl: this.queues.url(this.queues.byName(input.QueueName).queue.definition.name) }),
      },
      GetQueueAttributes: { known: ['QueueUrl', 'AttributeNames'], run: (input) => this.queues.attributes(input) },
      SetQueueAttributes: { known: ['QueueUrl', 'Attributes'], run: (input) => this.queues.setAttributes(input) },
      ListQueues: { known: ['QueueNamePrefix', 'NextToken', 'MaxResults'], run: (input) => this.queues.list(input) },
      TagQueue: {
        known: ['QueueUrl', 'Tags'],
        run: (input) => this.queues.changeTags(input, (tags) => Object.assign(tags, input.Tags)),
      },
      UntagQueue: {
        known: ['QueueUrl', 'TagKeys'],
        run: (input) =>
          this.queues.changeTags(input, (tags) => {
            for (const key of input.TagKeys as string[]) delete tags[key];
          }),
      },
      ListQueueTags: {
        known: ['QueueUrl'],
        run: (input) => ({ Tags: this.queues.byUrl(input).queue.definition.tags }),
      },
      SendMessage: {
        known: ['QueueUrl', ...sending],
        run: (input, context) =>
          this.send(this.queues.byUrl(input), input as unknown as SendRequest, context.principal),
      },
      SendMessageBatch: { known: ['QueueUrl', 'Entries'], run: (input, context) => this.sendBatch(input, context) },
      ReceiveMessage: {
        known: [
          'QueueUrl',
          'AttributeNames',
          'MessageSystemAttributeNames',
          'MessageAttributeNames',
          'MaxNumberOfMessages',
          'VisibilityTimeout',
          'WaitTimeSeconds',
        ],
        run: (input) => this.receive(input),
      },
      DeleteMessage: {
        known: ['QueueUrl', 'ReceiptHandle'],
        run: (input) => this.queues.byUrl(input).queue.delete(input.ReceiptHandle),
      },
      DeleteMessageBatch: {
        known: ['QueueUrl', 'Entries'],
        run: (input) => {
          const { queue } = this.queues.byUrl(input);
          return inBatch(input.Entries, (entry) => queue.delete(entry.ReceiptHandle));
        },
      },
      ChangeMessageVisibility: {
        known: ['QueueUrl', 'ReceiptHandle', 'VisibilityTimeout'],
        run: (input) => this.changeVisibility(this.queues.byUrl(input).queue, input),
      },
      ChangeMessageVisibilityBatch: {
        known: ['QueueUrl', 'Entries'],
        run: (input) => {
          const { queue } = this.queues.byUrl(input);
          return inBatch(input.Entries, (entry) => this.changeVisibility(queue, entry));
        },
      },
      PurgeQueue: { known: ['QueueUrl'], run: (input) => this.purge(input) },
    };
  }

  private send({ queue, dedupe }: HeldQueue, request: SendRequest, principal: Principal | undefined): SendAnswer {
    const senderId = principal?.sessionName ? `AROALOCAL:${principal.sessionName}` : this.environment.accountId;
    return send(this.environment, queue, dedupe, request, senderId);
  }

  private sendBatch(input: Input, context: CallContext): unknown {
    const held = this.queues.byUrl(input);
    const { queue } = held;
    const max = numberOf(queue.definition.attributes, 'MaximumMessageSize');
    return inBatch(
      input.Entries,
      (entry) => this.send(held, entry as unknown as SendRequest, context.principal),
      Math.max(max, 1_048_576),
    );
  }

  private async receive(input: Input): Promise<unknown> {
    const { queue } = this.queues.byUrl(input);
    const max = (input.MaxNumberOfMessages ?? 1) as number;
    const wait = (input.WaitTimeSeconds ??
      numberOf(queue.definition.attributes, 'ReceiveMessageWaitTimeSeconds')) as number;
    if (!Number.isInteger(max) || max < 1 || max > 10)
      throw invalidValue('MaxNumberOfMessages', max, 'Must be between 1 and 10, if provided.');
    if (!Number.isInteger(wait) || wait < 0 || wait > 20)
      throw invalidValue('WaitTimeSeconds', wait, 'Must be >= 0 and <= 20, if provided.');
    const messages = await queue.receive(max, this.visibilityMs(queue, input.VisibilityTimeout), wait * 1000);
    if (messages.length === 0) return {};
    return { Messages: messages.map((message) => select(message, input)) };
  }

  private changeVisibility(queue: Queue, input: Input): void {
    if (input.VisibilityTimeout === undefined) throw missingParameter('VisibilityTimeout');
    queue.changeVisibility(input.ReceiptHandle, this.visibilityMs(queue, input.VisibilityTimeout));
  }

  private purge(input: Input): void {
    const held = this.queues.byUrl(input);
    const now = this.environment.clock.now();
    if (held.purgedMs !== undefined && now < held.purgedMs + 60_000)
      throw new AwsError(
        'PurgeQueueInProgress',
        `Only one PurgeQueue operation on ${held.queue.definition.name} is allowed every 60 seconds.`,
        403,
      );
    held.purgedMs = now;
    held.queue.purge();
  }

  private visibilityMs(queue: Queue, seconds: unknown): number {
    const value = (seconds ?? numberOf(queue.definition.attributes, 'VisibilityTimeout')) as number;
    if (!Number.isInteger(value) || value < 0 || value > 43_200)
      throw invalidValue('VisibilityTimeout', value, 'VisibilityTimeout must be an integer between 0 and 43200.');
    return value * 1000;
  }
}
