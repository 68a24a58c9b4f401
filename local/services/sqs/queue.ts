import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { AwsError } from '../../errors.ts';
import type { StoredMap } from '../../store.ts';
import { numberOf, parseRedrivePolicy, type QueueAttributes, type RedrivePolicy } from './attributes.ts';
import { DueTimes } from './due-times.ts';
import { invalidValue, queueDoesNotExist } from './errors.ts';
import { parseReceiptHandle, type ReceivedMessage, received, type StoredMessage } from './message.ts';
import { GroupedMessages, UnorderedMessages, type VisibleMessages } from './visible-messages.ts';

export interface StoredQueue {
  name: string;
  arn: string;
  attributes: QueueAttributes;
  tags: Record<string, string>;
  createdMs: number;
  modifiedMs: number;
}

/** What a queue tells to the service that holds it. */
export interface QueueHooks {
  /** Messages can be received. */
  visible(): void;
  /** Takes a message that was received too often; false when there is no such dead-letter queue. */
  deadLetter(message: StoredMessage, targetArn: string): boolean;
}

interface Waiter {
  max: number;
  visibilityMs: number;
  timer: Timer;
  resolve(messages: ReceivedMessage[]): void;
  reject(error: Error): void;
}

export type NewMessage = Omit<StoredMessage, 'key' | 'receiveCount' | 'sequenceNumber'>;

const maxInFlight = 120_000;
const maxVisibilityMs = 43_200_000;

/** The messages of one queue: delayed, visible or in flight. One timer wakes it when the next hidden message is due. */
export class Queue {
  readonly definition: StoredQueue;
  readonly fifo: boolean;
  private readonly clock: Clock;
  private readonly messages: StoredMap<StoredMessage>;
  private readonly hooks: QueueHooks;
  private readonly visible: VisibleMessages;
  private readonly hidden = new DueTimes();
  private readonly inFlight = new Set<string>();
  private waiters: Waiter[] = [];
  private timer: { timeMs: number; timer: Timer } | undefined;
  private lastKey = 0;
  private redrive: RedrivePolicy | undefined;
  private retentionMs = 0;

  constructor(definition: StoredQueue, messages: StoredMap<StoredMessage>, clock: Clock, hooks: QueueHooks) {
    this.definition = definition;
    this.fifo = definition.name.endsWith('.fifo');
    this.clock = clock;
    this.messages = messages;
    this.hooks = hooks;
    this.visible = this.fifo ? new GroupedMessages() : new UnorderedMessages();
    this.attributesChanged();
    const now = clock.now();
    for (const message of [...messages.values()].sort((a, b) => (a.key < b.key ? -1 : 1))) this.restore(message, now);
    this.arm();
  }

  get counts() {
    this.refresh();
    const inFlight = this.inFlight.size;
    return { visible: this.visible.size, inFlight, delayed: this.messages.size - this.visible.size - inFlight };
  }

  get available(): boolean {
    this.refresh();
    return this.visible.available;
  }

  attributesChanged(): void {
    const { attributes } = this.definition;
    this.redrive = attributes.RedrivePolicy ? parseRedrivePolicy(attributes.RedrivePolicy) : undefined;
    this.retentionMs = numberOf(attributes, 'MessageRetentionPeriod') * 1000;
  }

  /** The next place in the queue: 20 digits that rise over restarts, too. */
  nextKey(): string {
    this.lastKey = Math.max(this.lastKey + 1, this.clock.now() * 1000);
    return String(this.lastKey).padStart(20, '0');
  }

  add(message: NewMessage, key = this.nextKey()): void {
    const stored: StoredMessage = { ...message, key, receiveCount: 0 };
    if (this.fifo) stored.sequenceNumber = key;
    this.messages.set(key, stored);
    this.visible.arrived(stored);
    if (stored.visibleAtMs <= this.clock.now()) this.visible.appeared(stored);
    else this.hidden.add(stored.visibleAtMs, key);
    this.announce();
  }

  /** Waits up to `waitMs` for a first message. */
  receive(max: number, visibilityMs: number, waitMs: number): Promise<ReceivedMessage[]> {
    const batch = this.waiters.length === 0 || waitMs === 0 ? this.take(max, visibilityMs) : [];
    if (batch.length === 0 && waitMs === 0) this.refuseOverLimit(max);
    if (batch.length > 0 || waitMs === 0) return Promise.resolve(batch);
    return new Promise((resolve, reject) => {
      const timer = this.clock.at(this.clock.now() + waitMs, () => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
        resolve([]);
      });
      const waiter: Waiter = { max, visibilityMs, timer, resolve, reject };
      this.waiters.push(waiter);
    });
  }

  /** Receives at once what can be received. */
  take(max: number, visibilityMs: number): ReceivedMessage[] {
    this.refresh();
    if (!this.visible.available) return [];
    if (this.inFlight.size + max > maxInFlight) return [];
    const batch: StoredMessage[] = [];
    const dead: StoredMessage[] = [];
    for (const message of this.visible.candidates()) {
      if (this.isExhausted(message)) dead.push(message);
      else if (batch.push(message) === max) break;
    }
    for (const message of dead) this.remove(message);
    const answers = batch.map((message) => this.deliver(message, visibilityMs));
    this.arm();
    return answers;
  }

  delete(handle: unknown): void {
    const { key, receipt } = parseReceiptHandle(handle);
    this.refresh();
    const message = this.messages.get(key);
    if (!message) return;
    if (this.fifo && (message.receipt !== receipt || !this.inFlight.has(key)))
      throw invalidValue('ReceiptHandle', handle, 'The receipt handle has expired.');
    // A standard queue takes an old handle and may deliver the message again.
    if (message.receipt !== receipt) return;
    this.remove(message);
    this.announce();
  }

  changeVisibility(handle: unknown, visibilityMs: number): void {
    const { key, receipt } = parseReceiptHandle(handle);
    this.refresh();
    const message = this.messages.get(key);
    if (!message || (this.fifo && (message.receipt !== receipt || !this.inFlight.has(key))))
      throw invalidValue(
        'ReceiptHandle',
        handle,
        'Message does not exist or is not available for visibility timeout change.',
      );
    if (!this.inFlight.has(key) || message.receipt !== receipt)
      throw new AwsError('MessageNotInflight', 'The specified message is not in flight.');
    const now = this.clock.now();
    if (now + visibilityMs > (message.lastReceivedMs ?? now) + maxVisibilityMs)
      throw invalidValue(
        'VisibilityTimeout',
        visibilityMs / 1000,
        'Total VisibilityTimeout for the message is beyond the limit [43200 seconds].',
      );
    message.visibleAtMs = now + visibilityMs;
    this.messages.set(key, message);
    if (visibilityMs === 0) this.appear(message);
    else this.hidden.add(message.visibleAtMs, key);
    this.announce();
  }

  /** Makes visible at once what was received and not deleted. */
  returnInFlight(): void {
    this.refresh();
    for (const key of [...this.inFlight]) {
      const message = this.messages.get(key)!;
      message.visibleAtMs = this.clock.now();
      this.messages.set(key, message);
      this.appear(message);
    }
    this.announce();
  }

  purge(): void {
    for (const message of [...this.messages.values()]) this.remove(message);
    this.hidden.clear();
  }

  /** Ends all waiting and forgets all messages. */
  close(): void {
    this.timer?.timer.cancel();
    this.timer = undefined;
    for (const waiter of this.waiters) {
      waiter.timer.cancel();
      waiter.reject(queueDoesNotExist());
    }
    this.waiters = [];
    for (const key of [...this.messages.entries()].map(([key]) => key)) this.messages.delete(key);
  }

  private restore(message: StoredMessage, now: number): void {
    this.lastKey = Math.max(this.lastKey, Number(message.key));
    this.visible.arrived(message);
    if (message.visibleAtMs <= now) {
      this.visible.appeared(message);
      return;
    }
    this.hidden.add(message.visibleAtMs, message.key);
    if (message.receipt) {
      this.inFlight.add(message.key);
      this.visible.received(message);
    }
  }

  /** Whether the message was received too often and has gone to the dead-letter queue. */
  private isExhausted(message: StoredMessage): boolean {
    if (!this.redrive || message.receiveCount < this.redrive.maxReceiveCount) return false;
    return this.hooks.deadLetter(message, this.redrive.deadLetterTargetArn);
  }

  /** Only a short poll of a standard queue is told that too much is in flight. */
  private refuseOverLimit(max: number): void {
    if (!this.fifo && this.visible.available && this.inFlight.size + max > maxInFlight)
      throw new AwsError('OverLimit', `Too many messages in flight: at most ${maxInFlight} are allowed.`, 403);
  }

  private deliver(message: StoredMessage, visibilityMs: number): ReceivedMessage {
    const now = this.clock.now();
    message.receiveCount += 1;
    message.firstReceivedMs ??= now;
    message.lastReceivedMs = now;
    message.receipt = randomBytes(9).toString('base64url');
    message.visibleAtMs = now + visibilityMs;
    this.messages.set(message.key, message);
    if (visibilityMs > 0) {
      this.visible.received(message);
      this.inFlight.add(message.key);
      this.hidden.add(message.visibleAtMs, message.key);
    }
    return received(message);
  }

  private remove(message: StoredMessage): void {
    this.messages.delete(message.key);
    if (this.inFlight.delete(message.key)) this.visible.landed(message);
    this.visible.removed(message);
  }

  private appear(message: StoredMessage): void {
    if (this.inFlight.delete(message.key)) this.visible.landed(message);
    this.visible.appeared(message);
  }

  /** Makes visible what is due and drops what is older than the retention period. */
  private refresh(): void {
    const now = this.clock.now();
    for (let due = this.hidden.take(now); due; due = this.hidden.take(now)) {
      const message = this.messages.get(due.key);
      if (message && message.visibleAtMs === due.timeMs) this.appear(message);
    }
    for (const message of this.messages.values()) {
      if ((message.retainedFromMs ?? message.sentMs) + this.retentionMs > now) break;
      this.remove(message);
    }
  }

  private announce(): void {
    this.refresh();
    while (this.waiters.length > 0 && this.visible.available) {
      const waiter = this.waiters[0]!;
      const batch = this.take(waiter.max, waiter.visibilityMs);
      if (batch.length === 0) break;
      this.waiters.shift();
      waiter.timer.cancel();
      waiter.resolve(batch);
    }
    this.arm();
    if (this.visible.available) this.hooks.visible();
  }

  private arm(): void {
    for (let due = this.hidden.earliest; due; due = this.hidden.earliest) {
      if (this.messages.get(due.key)?.visibleAtMs === due.timeMs) break;
      this.hidden.take(due.timeMs);
    }
    const timeMs = this.hidden.earliest?.timeMs;
    if (this.timer?.timeMs === timeMs) return;
    this.timer?.timer.cancel();
    this.timer = undefined;
    if (timeMs === undefined) return;
    const timer = this.clock.at(timeMs, () => {
      this.timer = undefined;
      this.announce();
    });
    this.timer = { timeMs, timer };
  }
}
