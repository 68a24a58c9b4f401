import { Duration } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { timeoutSecondsOf } from './functions.ts';

export interface MessagingProps {
  /** Prefix of names. A bus, unlike a queue, has no name unless it is given one. */
  readonly prefix: string;
  /** @default SQS's own */
  readonly key?: IKey;
}

/**
 * Queues and the event bus. A message says only "look at this", so losing one costs time until the next sweep and
 * nothing else. Each queue with a consumer costs about $0.30 a month of polling, so the sweep reads the
 * dead letters.
 */
export class Messaging extends Construct {
  /** `{kind, id}` of what to look at; the group is the id. */
  readonly work: Queue;
  /** Launch intents, in one group, so that one consumer keeps AWS's rates. */
  readonly launches: Queue;
  /** What is due within 15 minutes, by `DelaySeconds`. */
  readonly timers: Queue;
  /** Fires of the users' schedules. */
  readonly triggers: Queue;
  readonly deadLettersFifo: Queue;
  readonly deadLetters: Queue;
  readonly bus: EventBus;
  private readonly key: IKey | undefined;

  constructor(scope: Construct, id: string, props: MessagingProps) {
    super(scope, id);
    this.key = props.key;
    const highThroughput = {
      fifo: true,
      deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
      fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
    };
    const sweepTimeout = Duration.seconds(2 * timeoutSecondsOf('sweep'));
    this.deadLettersFifo = this.queue('DeadLettersFifo', {
      ...highThroughput,
      visibilityTimeout: sweepTimeout,
      retentionPeriod: Duration.days(14),
    });
    this.deadLetters = this.queue('DeadLetters', {
      visibilityTimeout: sweepTimeout,
      retentionPeriod: Duration.days(14),
    });

    // Six times the function's timeout is what Lambda asks for, so that a batch is not received while it is retried.
    this.work = this.queue('Work', {
      ...highThroughput,
      visibilityTimeout: Duration.seconds(6 * timeoutSecondsOf('dispatch')),
      deadLetterQueue: { queue: this.deadLettersFifo, maxReceiveCount: 3 },
    });
    this.launches = this.queue('Launches', {
      ...highThroughput,
      // Less than six times: while a launch that died is waited for, no other one is launched.
      visibilityTimeout: Duration.seconds(4 * timeoutSecondsOf('launch')),
      deadLetterQueue: { queue: this.deadLettersFifo, maxReceiveCount: 3 },
    });
    this.timers = this.queue('Timers', {
      visibilityTimeout: Duration.seconds(6 * timeoutSecondsOf('timers')),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 3 },
    });
    this.triggers = this.queue('Triggers', {
      visibilityTimeout: Duration.seconds(6 * timeoutSecondsOf('trigger')),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 3 },
    });

    this.bus = new EventBus(this, 'Bus', { eventBusName: props.prefix });
  }

  private queue(id: string, props: QueueProps): Queue {
    const encryption = this.key ? QueueEncryption.KMS : undefined;
    return new Queue(this, id, { ...props, encryption, encryptionMasterKey: this.key });
  }
}
