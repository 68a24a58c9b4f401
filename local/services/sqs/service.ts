import { AwsError, notEmulated, refuseUnknownParameters } from '../../errors.ts';
import type { CallContext, Environment, JsonService, Principal } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import {
  allAttributes,
  type computedAttributes,
  numberOf,
  validateAttributes,
  validateQueueName,
  withDefaults,
} from './attributes.ts';
import { inBatch } from './batch.ts';
import { invalidValue, missingParameter, queryErrorHeader, queueDoesNotExist } from './errors.ts';
import type { MessageAttribute, ReceivedMessage, StoredMessage } from './message.ts';
import { Queue, type StoredQueue } from './queue.ts';
import { type DedupeRecord, type SendAnswer, type SendRequest, send } from './sending.ts';

type Input = Record<string, unknown>;

interface HeldQueue {
  queue: Queue;
  dedupe: StoredMap<DedupeRecord>;
  purgedMs?: number;
}

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
  private readonly definitions: StoredMap<StoredQueue>;
  private readonly queues = new Map<string, HeldQueue>();
  private readonly deletedMs = new Map<string, number>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly operations: Record<
    string,
    { known: readonly string[]; run(input: Input, context: CallContext): unknown }
  >;

  constructor(environment: Environment) {
    this.environment = environment;
    this.definitions = environment.store.map('sqs-queues');
    for (const definition of this.definitions.values()) this.hold(definition);
    this.operations = this.table();
  }

  async call(operation: string, input: Input, context: CallContext): Promise<unknown> {
    const found = this.operations[operation];
    if (!found) throw notEmulated('sqs', `operation ${operation}`);
    refuseUnknownParameters('sqs', operation, input, found.known);
    return found.run(input, context);
  }

  queueArn(name: string): string {
    return `arn:aws:sqs:${this.environment.region}:${this.environment.accountId}:${name}`;
  }

  queueUrl(name: string): string {
    const { region, accountId } = this.environment;
    return `${this.environment.endpoint() ?? `http://sqs.${region}.localhost`}/${accountId}/${name}`;
  }

  /** Receives at once, for an event source mapping. @param visibilityTimeout seconds; the queue's own by default */
  receiveFor(queueArn: string, max: number, visibilityTimeout?: number): ReceivedMessage[] {
    const { queue } = this.byArn(queueArn);
    return queue.take(max, this.visibilityMs(queue, visibilityTimeout));
  }

  /** Calls `listener` each time that messages can be received, and once now if there are any. Returns how to end that. */
  onMessageVisible(queueArn: string, listener: () => void): () => void {
    const listeners = this.listeners.get(queueArn) ?? new Set();
    this.listeners.set(queueArn, listeners.add(listener));
    const held = this.queues.get(nameOf(queueArn));
    if (held?.queue.available) queueMicrotask(() => listeners.has(listener) && listener());
    return () => listeners.delete(listener);
  }

  deleteFor(queueArn: string, receiptHandle: string): void {
    this.byArn(queueArn).queue.delete(receiptHandle);
  }

  changeVisibilityFor(queueArn: string, receiptHandle: string, visibilityTimeout: number): void {
    const { queue } = this.byArn(queueArn);
    queue.changeVisibility(receiptHandle, this.visibilityMs(queue, visibilityTimeout));
  }

  /** Sends for another service. @throws AwsError as SendMessage */
  sendInternal(queueArn: string, body: string, options: InternalSend = {}): SendAnswer {
    const request: SendRequest = { MessageBody: body };
    if (options.groupId !== undefined) request.MessageGroupId = options.groupId;
    if (options.dedupeId !== undefined) request.MessageDeduplicationId = options.dedupeId;
    if (options.attributes) request.MessageAttributes = options.attributes;
    return this.send(this.byArn(queueArn), request, undefined);
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
      CreateQueue: { known: ['QueueName', 'Attributes', 'tags'], run: (input) => this.create(input) },
      DeleteQueue: { known: ['QueueUrl'], run: (input) => this.remove(input) },
      GetQueueUrl: {
        known: ['QueueName', 'QueueOwnerAWSAccountId'],
        run: (input) => ({ QueueUrl: this.queueUrl(this.byName(input.QueueName).queue.definition.name) }),
      },
      GetQueueAttributes: { known: ['QueueUrl', 'AttributeNames'], run: (input) => this.attributes(input) },
      SetQueueAttributes: { known: ['QueueUrl', 'Attributes'], run: (input) => this.setAttributes(input) },
      ListQueues: { known: ['QueueNamePrefix', 'NextToken', 'MaxResults'], run: (input) => this.list(input) },
      TagQueue: {
        known: ['QueueUrl', 'Tags'],
        run: (input) => this.changeTags(input, (tags) => Object.assign(tags, input.Tags)),
      },
      UntagQueue: {
        known: ['QueueUrl', 'TagKeys'],
        run: (input) =>
          this.changeTags(input, (tags) => {
            for (const key of input.TagKeys as string[]) delete tags[key];
          }),
      },
      ListQueueTags: { known: ['QueueUrl'], run: (input) => ({ Tags: this.byUrl(input).queue.definition.tags }) },
      SendMessage: {
        known: ['QueueUrl', ...sending],
        run: (input, context) => this.send(this.byUrl(input), input as unknown as SendRequest, context.principal),
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
        run: (input) => this.byUrl(input).queue.delete(input.ReceiptHandle),
      },
      DeleteMessageBatch: {
        known: ['QueueUrl', 'Entries'],
        run: (input) => {
          const { queue } = this.byUrl(input);
          return inBatch(input.Entries, (entry) => queue.delete(entry.ReceiptHandle));
        },
      },
      ChangeMessageVisibility: {
        known: ['QueueUrl', 'ReceiptHandle', 'VisibilityTimeout'],
        run: (input) => this.changeVisibility(this.byUrl(input).queue, input),
      },
      ChangeMessageVisibilityBatch: {
        known: ['QueueUrl', 'Entries'],
        run: (input) => {
          const { queue } = this.byUrl(input);
          return inBatch(input.Entries, (entry) => this.changeVisibility(queue, entry));
        },
      },
      PurgeQueue: { known: ['QueueUrl'], run: (input) => this.purge(input) },
    };
  }

  private create(input: Input): unknown {
    if (input.QueueName === undefined) throw missingParameter('QueueName');
    const given = (input.Attributes ?? {}) as Input;
    const fifo = validateQueueName(input.QueueName, given.FifoQueue);
    const name = String(input.QueueName);
    const attributes = validateAttributes(given, fifo);
    const existing = this.queues.get(name);
    if (existing) {
      const current = withDefaults(existing.queue.definition.attributes, fifo);
      for (const [attribute, value] of Object.entries(attributes)) {
        if (current[attribute] !== value)
          throw new AwsError(
            'QueueNameExists',
            `A queue already exists with the same name and a different value for attribute ${attribute}`,
          );
      }
      return { QueueUrl: this.queueUrl(name) };
    }
    const now = this.environment.clock.now();
    if (now < (this.deletedMs.get(name) ?? 0) + 60_000)
      throw new AwsError(
        'QueueDeletedRecently',
        'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
      );
    const tags = { ...(input.tags as Record<string, string> | undefined) };
    const definition = { name, arn: this.queueArn(name), attributes, tags, createdMs: now, modifiedMs: now };
    this.definitions.set(name, definition);
    this.hold(definition);
    return { QueueUrl: this.queueUrl(name) };
  }

  private hold(definition: StoredQueue): void {
    const { store, clock } = this.environment;
    const queue = new Queue(definition, store.map<StoredMessage>(`sqs-messages:${definition.name}`), clock, {
      visible: () => {
        for (const listener of this.listeners.get(definition.arn) ?? []) listener();
      },
      deadLetter: (message, targetArn) => this.deadLetter(definition.arn, message, targetArn),
    });
    this.queues.set(definition.name, { queue, dedupe: store.map(`sqs-dedupe:${definition.name}`) });
  }

  private deadLetter(sourceArn: string, message: StoredMessage, targetArn: string): boolean {
    const target = this.queues.get(nameOf(targetArn))?.queue;
    if (!target || target.definition.arn === sourceArn) return false;
    const {
      key: _key,
      receiveCount: _count,
      receipt: _receipt,
      firstReceivedMs: _first,
      lastReceivedMs: _last,
      ...rest
    } = message;
    const now = this.environment.clock.now();
    const moved = { ...rest, visibleAtMs: now, deadLetterSourceArn: sourceArn };
    // The retention period of a standard queue's message goes on from when it was sent.
    target.add(target.fifo ? { ...moved, retainedFromMs: now } : moved);
    return true;
  }

  private remove(input: Input): void {
    const { queue, dedupe } = this.byUrl(input);
    const { name } = queue.definition;
    queue.close();
    for (const key of [...dedupe.entries()].map(([key]) => key)) dedupe.delete(key);
    this.queues.delete(name);
    this.definitions.delete(name);
    const now = this.environment.clock.now();
    for (const [other, deletedMs] of this.deletedMs) if (deletedMs + 60_000 <= now) this.deletedMs.delete(other);
    this.deletedMs.set(name, now);
  }

  private attributes(input: Input): unknown {
    const { queue } = this.byUrl(input);
    const { definition } = queue;
    const names = (input.AttributeNames ?? []) as string[];
    for (const name of names) {
      if (name !== 'All' && !allAttributes.includes(name))
        throw new AwsError('InvalidAttributeName', `Unknown Attribute ${name}.`);
    }
    if (names.length === 0) return {};
    const { visible, inFlight, delayed } = queue.counts;
    const computed: Record<(typeof computedAttributes)[number], string> = {
      ApproximateNumberOfMessages: String(visible),
      ApproximateNumberOfMessagesDelayed: String(delayed),
      ApproximateNumberOfMessagesNotVisible: String(inFlight),
      CreatedTimestamp: String(Math.floor(definition.createdMs / 1000)),
      LastModifiedTimestamp: String(Math.floor(definition.modifiedMs / 1000)),
      QueueArn: definition.arn,
    };
    const all: Record<string, string> = { ...withDefaults(definition.attributes, queue.fifo), ...computed };
    const wanted = names.includes('All') ? Object.keys(all) : names.filter((name) => all[name] !== undefined);
    return { Attributes: Object.fromEntries(wanted.map((name) => [name, all[name]])) };
  }

  private setAttributes(input: Input): void {
    const { queue } = this.byUrl(input);
    const { definition } = queue;
    const changes = (input.Attributes ?? {}) as Input;
    if (changes.FifoQueue !== undefined && String(changes.FifoQueue) !== String(queue.fifo))
      throw new AwsError('InvalidAttributeValue', 'Invalid value for the parameter FifoQueue: it cannot be changed.');
    Object.assign(definition.attributes, validateAttributes(changes, queue.fifo));
    for (const [name, value] of Object.entries(definition.attributes))
      if (value === '') delete definition.attributes[name];
    definition.modifiedMs = this.environment.clock.now();
    this.definitions.set(definition.name, definition);
    queue.attributesChanged();
  }

  private list(input: Input): unknown {
    const max = (input.MaxResults ?? 1000) as number;
    if (!Number.isInteger(max) || max < 1 || max > 1000)
      throw invalidValue('MaxResults', max, 'Must be between 1 and 1000.');
    const prefix = String(input.QueueNamePrefix ?? '');
    const after = input.NextToken === undefined ? '' : Buffer.from(String(input.NextToken), 'base64url').toString();
    const names = [...this.queues.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    const page = names.slice(0, max);
    if (page.length === 0) return {};
    const more = names.length > max && input.MaxResults !== undefined;
    return {
      QueueUrls: page.map((name) => this.queueUrl(name)),
      ...(more && { NextToken: Buffer.from(page.at(-1)!).toString('base64url') }),
    };
  }

  private changeTags(input: Input, change: (tags: Record<string, string>) => void): void {
    const { definition } = this.byUrl(input).queue;
    change(definition.tags);
    this.definitions.set(definition.name, definition);
  }

  private send({ queue, dedupe }: HeldQueue, request: SendRequest, principal: Principal | undefined): SendAnswer {
    const senderId = principal?.sessionName ? `AROALOCAL:${principal.sessionName}` : this.environment.accountId;
    return send(this.environment, queue, dedupe, request, senderId);
  }

  private sendBatch(input: Input, context: CallContext): unknown {
    const held = this.byUrl(input);
    const { queue } = held;
    const max = numberOf(queue.definition.attributes, 'MaximumMessageSize');
    return inBatch(
      input.Entries,
      (entry) => this.send(held, entry as unknown as SendRequest, context.principal),
      Math.max(max, 1_048_576),
    );
  }

  private async receive(input: Input): Promise<unknown> {
    const { queue } = this.byUrl(input);
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
    const held = this.byUrl(input);
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

  private byUrl(input: Input): HeldQueue {
    if (typeof input.QueueUrl !== 'string') throw missingParameter('QueueUrl');
    const parts = input.QueueUrl.split('/');
    if (parts.length > 1 && parts.at(-2) !== this.environment.accountId) throw queueDoesNotExist();
    return this.byName(parts.at(-1));
  }

  private byArn(queueArn: string): HeldQueue {
    return this.byName(nameOf(queueArn));
  }

  private byName(name: unknown): HeldQueue {
    const held = typeof name === 'string' ? this.queues.get(name) : undefined;
    if (!held) throw queueDoesNotExist();
    return held;
  }
}

const nameOf = (queueArn: string) => queueArn.slice(queueArn.lastIndexOf(':') + 1);

/** Leaves only the attributes that the caller asked for. */
function select(message: ReceivedMessage, input: Input): ReceivedMessage {
  const { Attributes: system = {}, MessageAttributes: own = {}, MD5OfMessageAttributes: digest, ...plain } = message;
  const systemNames = [
    ...((input.AttributeNames ?? []) as string[]),
    ...((input.MessageSystemAttributeNames ?? []) as string[]),
  ];
  const ownNames = (input.MessageAttributeNames ?? []) as string[];
  const wants = (name: string) =>
    ownNames.some(
      (wanted) =>
        wanted === name || wanted === 'All' || (wanted.endsWith('.*') && name.startsWith(wanted.slice(0, -2))),
    );
  const attributes = Object.entries(system).filter(
    ([name]) => systemNames.includes('All') || systemNames.includes(name),
  );
  const ownAttributes = Object.entries(own).filter(([name]) => wants(name));
  return {
    ...plain,
    ...(attributes.length > 0 && { Attributes: Object.fromEntries(attributes) }),
    ...(ownAttributes.length > 0 && { MessageAttributes: Object.fromEntries(ownAttributes) }),
    ...(ownAttributes.length > 0 &&
      digest &&
      ownAttributes.length === Object.keys(own).length && { MD5OfMessageAttributes: digest }),
  };
}
