import type { Environment } from '../../../service.ts';
import { batchOutcome } from './batch-response.ts';
import type { EventSourceMapping, InvokeFunction, QueueMessage, QueuePort } from './ports.ts';

/** Concurrent batches of a mapping that sets none. AWS starts with five and goes up to 1,250; a laptop need not. */
const defaultConcurrency = 20;

export interface QueueMappingOptions {
  queueArn: string;
  functionArn: string;
  batchSize: number;
  /** Seconds; 0 delivers as soon as anything is visible. Not for FIFO queues. */
  batchingWindowSeconds: number;
  maximumConcurrency?: number;
  reportsItemFailures: boolean;
  /** Messages that do not match are deleted, as AWS does. */
  matches?: (message: QueueMessage) => boolean;
}

/**
 * Hands the messages of a queue to a function, as soon as they are visible and without polling.
 * What fails stays invisible until the queue's visibility timeout ends, then comes again or goes to the dead letters;
 * in a FIFO queue its group waits as long.
 */
export class QueueMapping implements EventSourceMapping {
  private readonly environment: Environment;
  private readonly options: QueueMappingOptions;
  private readonly queue: QueuePort;
  private readonly invoke: InvokeFunction;
  private running = 0;
  private pumping = false;
  private rung = false;
  private windowOpen = false;
  private unsubscribe: (() => void) | undefined;

  constructor(environment: Environment, options: QueueMappingOptions, queue: QueuePort, invoke: InvokeFunction) {
    this.environment = environment;
    this.options = options;
    this.queue = queue;
    this.invoke = invoke;
  }

  /** The functions ended with the process, which AWS's never do all at once: their messages need not wait for a time-out. */
  recover(): void {
    this.queue.returnInFlight(this.options.queueArn);
  }

  start(): void {
    this.unsubscribe = this.queue.onVisible(this.options.queueArn, () => this.ring());
    this.ring();
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  private ring(): void {
    const { batchingWindowSeconds } = this.options;
    if (batchingWindowSeconds === 0) {
      void this.pump();
    } else if (!this.windowOpen) {
      this.windowOpen = true;
      const { clock } = this.environment;
      clock.at(clock.now() + batchingWindowSeconds * 1000, () => {
        this.windowOpen = false;
        void this.pump();
      });
    }
  }

  private async pump(): Promise<void> {
    this.rung = true;
    if (this.pumping) return;
    this.pumping = true;
    const end = this.environment.activity.begin();
    try {
      // Messages sent in the same turn travel in one batch.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (this.unsubscribe && this.running < (this.options.maximumConcurrency ?? defaultConcurrency)) {
        this.rung = false;
        const messages = await this.queue.receive(this.options.queueArn, this.options.batchSize);
        if (messages.length > 0) void this.process(messages);
        else if (!this.rung) break;
      }
    } catch (error) {
      this.environment.log(`event source ${this.options.queueArn} failed: ${error}`);
    } finally {
      this.pumping = false;
      end();
    }
  }

  private async process(received: QueueMessage[]): Promise<void> {
    this.running += 1;
    try {
      const messages = await this.filtered(received);
      if (messages.length > 0) await this.deliver(messages);
    } catch (error) {
      this.environment.log(`event source ${this.options.queueArn} failed: ${error}`);
    } finally {
      this.running -= 1;
      void this.pump();
    }
  }

  private async filtered(messages: QueueMessage[]): Promise<QueueMessage[]> {
    const { matches, queueArn } = this.options;
    if (!matches) return messages;
    const unwanted = messages.filter((message) => !matches(message)).map((message) => message.receiptHandle);
    if (unwanted.length > 0) await this.queue.delete(queueArn, unwanted);
    return messages.filter((message) => !unwanted.includes(message.receiptHandle));
  }

  private async deliver(messages: QueueMessage[]): Promise<void> {
    const { functionArn, queueArn, reportsItemFailures } = this.options;
    const event = JSON.stringify({ Records: messages.map((message) => this.record(message)) });
    const result = await this.invoke(functionArn, event);
    const identifiers = messages.map((message) => message.messageId);
    const { failed } = batchOutcome(result, identifiers, reportsItemFailures);
    if (result.functionError) this.environment.log(`${functionArn} failed with ${result.payload}`);
    const done = messages.filter((message) => !failed.has(message.messageId)).map((message) => message.receiptHandle);
    if (done.length > 0) await this.queue.delete(queueArn, done);
  }

  private record(message: QueueMessage) {
    const messageAttributes: Record<string, unknown> = {};
    for (const [name, attribute] of Object.entries(message.messageAttributes)) {
      messageAttributes[name] = {
        stringValue: attribute.StringValue,
        binaryValue: attribute.BinaryValue,
        stringListValues: [],
        binaryListValues: [],
        dataType: attribute.DataType,
      };
    }
    return {
      messageId: message.messageId,
      receiptHandle: message.receiptHandle,
      body: message.body,
      attributes: message.attributes,
      messageAttributes,
      md5OfBody: message.md5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN: this.options.queueArn,
      awsRegion: this.environment.region,
    };
  }
}
