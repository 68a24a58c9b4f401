import { AwsError } from '../../errors.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import {
  allAttributes,
  type computedAttributes,
  validateAttributes,
  validateQueueName,
  withDefaults,
} from './attributes.ts';
import { invalidValue, missingParameter, queueDoesNotExist } from './errors.ts';
import type { StoredMessage } from './message.ts';
import { Queue, type StoredQueue } from './queue.ts';
import type { DedupeRecord } from './sending.ts';

export type Input = Record<string, unknown>;

export interface HeldQueue {
  queue: Queue;
  dedupe: StoredMap<DedupeRecord>;
  purgedMs?: number;
}

/** The queues that there are: made, found, described, tagged and deleted. */
export class Queues {
  private readonly environment: Environment;
  private readonly onVisible: (queueArn: string) => void;
  private readonly definitions: StoredMap<StoredQueue>;
  private readonly held = new Map<string, HeldQueue>();
  private readonly deletedMs = new Map<string, number>();

  /** @param onVisible called when messages of a queue can be received */
  constructor(environment: Environment, onVisible: (queueArn: string) => void) {
    this.environment = environment;
    this.onVisible = onVisible;
    this.definitions = environment.store.map('sqs-queues');
    for (const definition of this.definitions.values()) this.hold(definition);
  }

  arn(name: string): string {
    return `arn:aws:sqs:${this.environment.region}:${this.environment.accountId}:${name}`;
  }

  url(name: string): string {
    const { region, accountId } = this.environment;
    return `${this.environment.endpoint() ?? `https://sqs.${region}.amazonaws.com`}/${accountId}/${name}`;
  }

  create(input: Input): unknown {
    if (input.QueueName === undefined) throw missingParameter('QueueName');
    const given = (input.Attributes ?? {}) as Input;
    const fifo = validateQueueName(input.QueueName, given.FifoQueue);
    const name = String(input.QueueName);
    const attributes = validateAttributes(given, fifo);
    const existing = this.held.get(name);
    if (existing) {
      const current = withDefaults(existing.queue.definition.attributes, fifo);
      for (const [attribute, value] of Object.entries(attributes)) {
        if (current[attribute] !== value)
          throw new AwsError(
            'QueueNameExists',
            `A queue already exists with the same name and a different value for attribute ${attribute}`,
          );
      }
      return { QueueUrl: this.url(name) };
    }
    const now = this.environment.clock.now();
    if (now < (this.deletedMs.get(name) ?? 0) + 60_000)
      throw new AwsError(
        'QueueDeletedRecently',
        'You must wait 60 seconds after deleting a queue before you can create another with the same name.',
      );
    const tags = { ...(input.tags as Record<string, string> | undefined) };
    const definition = { name, arn: this.arn(name), attributes, tags, createdMs: now, modifiedMs: now };
    this.definitions.set(name, definition);
    this.hold(definition);
    return { QueueUrl: this.url(name) };
  }

  private hold(definition: StoredQueue): void {
    const { store, clock } = this.environment;
    const queue = new Queue(definition, store.map<StoredMessage>(`sqs-messages:${definition.name}`), clock, {
      visible: () => this.onVisible(definition.arn),
      deadLetter: (message, targetArn) => this.deadLetter(definition.arn, message, targetArn),
    });
    this.held.set(definition.name, { queue, dedupe: store.map(`sqs-dedupe:${definition.name}`) });
  }

  private deadLetter(sourceArn: string, message: StoredMessage, targetArn: string): boolean {
    const target = this.find(targetArn);
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

  remove(input: Input): void {
    const { queue, dedupe } = this.byUrl(input);
    const { name } = queue.definition;
    queue.close();
    for (const key of [...dedupe.entries()].map(([key]) => key)) dedupe.delete(key);
    this.held.delete(name);
    this.definitions.delete(name);
    const now = this.environment.clock.now();
    for (const [other, deletedMs] of this.deletedMs) if (deletedMs + 60_000 <= now) this.deletedMs.delete(other);
    this.deletedMs.set(name, now);
  }

  attributes(input: Input): unknown {
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

  setAttributes(input: Input): void {
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

  list(input: Input): unknown {
    const max = (input.MaxResults ?? 1000) as number;
    if (!Number.isInteger(max) || max < 1 || max > 1000)
      throw invalidValue('MaxResults', max, 'Must be between 1 and 1000.');
    const prefix = String(input.QueueNamePrefix ?? '');
    const after = input.NextToken === undefined ? '' : Buffer.from(String(input.NextToken), 'base64url').toString();
    const names = [...this.held.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    const page = names.slice(0, max);
    if (page.length === 0) return {};
    const more = names.length > max && input.MaxResults !== undefined;
    return {
      QueueUrls: page.map((name) => this.url(name)),
      ...(more && { NextToken: Buffer.from(page.at(-1)!).toString('base64url') }),
    };
  }

  changeTags(input: Input, change: (tags: Record<string, string>) => void): void {
    const { definition } = this.byUrl(input).queue;
    change(definition.tags);
    this.definitions.set(definition.name, definition);
  }

  byUrl(input: Input): HeldQueue {
    if (typeof input.QueueUrl !== 'string') throw missingParameter('QueueUrl');
    const parts = input.QueueUrl.split('/');
    if (parts.length > 1 && parts.at(-2) !== this.environment.accountId) throw queueDoesNotExist();
    return this.byName(parts.at(-1));
  }

  /** Undefined when there is no such queue. */
  find(queueArn: string): Queue | undefined {
    return this.held.get(nameOf(queueArn))?.queue;
  }

  byArn(queueArn: string): HeldQueue {
    return this.byName(nameOf(queueArn));
  }

  byName(name: unknown): HeldQueue {
    const held = typeof name === 'string' ? this.held.get(name) : undefined;
    if (!held) throw queueDoesNotExist();
    return held;
  }
}

const nameOf = (queueArn: string) => queueArn.slice(queueArn.lastIndexOf(':') + 1);
