import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  ListQueuesCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { Nudge, OwnedRuntime, Page, Queues } from '../app/ports.ts';
import { type HeadRef, subjectOf } from '../domain/head.ts';
import { ownerTags, tagKeys } from './tags.ts';

/** The longest delay of a message (aws-facts 2); what is due later is left to the sweep. */
const longestDelaySeconds = 900;
/** SQS takes ten messages in one call. */
const batchSize = 10;
const bellsPerPage = 200;
/** Batches that are read of a dead-letter queue at once; the rest waits for the next sweep. */
const deadLetterBatches = 20;
/**
 * A ring that nobody heard is worthless soon. 60 s is the least that SQS keeps a message; one that was heard stays hidden
 * for as long, so that nobody has to delete it.
 */
const bellRetentionSeconds = '60';

/** One group a head: ids are unique everywhere, names only within their tenant. */
function groupOf(nudge: Nudge): string {
  const subject = subjectOf(nudge);
  return subject === nudge.id ? subject : `${nudge.tenant}/${subject}`;
}

export interface QueueUrls {
  stack: string;
  workQueueUrl: string;
  launchesQueueUrl: string;
  timersQueueUrl: string;
  deadLetterQueueUrls: readonly string[];
}

export class SqsQueues implements Queues {
  private readonly client: SQSClient;
  private readonly urls: QueueUrls;

  private readonly nudgesBy: 'work' | 'timers';

  /** @param nudgesBy `timers` for the reader of `work.fifo`, which never sends to its own queue */
  constructor(client: SQSClient, urls: QueueUrls, nudgesBy: 'work' | 'timers' = 'work') {
    this.client = client;
    this.urls = urls;
    this.nudgesBy = nudgesBy;
  }

  async nudge(nudges: Nudge[]): Promise<void> {
    if (this.nudgesBy === 'timers') {
      await Promise.all(nudges.map((nudge) => this.nudgeAt(nudge, 0, 0)));
      return;
    }
    for (let i = 0; i < nudges.length; i += batchSize) {
      const entries = nudges.slice(i, i + batchSize).map((nudge, index) => ({
        Id: String(index),
        MessageBody: JSON.stringify(nudge),
        MessageGroupId: groupOf(nudge),
        MessageDeduplicationId: randomUUID(),
      }));
      const answer = await this.client.send(
        new SendMessageBatchCommand({ QueueUrl: this.urls.workQueueUrl, Entries: entries }),
      );
      const [failed] = answer.Failed ?? [];
      if (failed)
        throw new Error(
          `SQS refused ${answer.Failed?.length} of ${entries.length} nudges: ${failed.Code} ${failed.Message}`,
        );
    }
  }

  async nudgeAt(nudge: Nudge, atMs: number, nowMs: number): Promise<void> {
    const delaySeconds = Math.max(0, Math.ceil((atMs - nowMs) / 1000));
    if (delaySeconds > longestDelaySeconds) return;
    await this.client.send(
      new SendMessageCommand({
        QueueUrl: this.urls.timersQueueUrl,
        MessageBody: JSON.stringify(nudge),
        DelaySeconds: delaySeconds,
      }),
    );
  }

  async requestLaunch(head: HeadRef, runtimeId: string, again?: string): Promise<void> {
    await this.client.send(
      new SendMessageCommand({
        QueueUrl: this.urls.launchesQueueUrl,
        MessageBody: JSON.stringify({ ...head, runtimeId }),
        // One group, so that launches happen in the order of their decisions. An intent that is sent again within the
        // dedupe window of five minutes is still in the queue: SQS drops the copy.
        MessageGroupId: 'launches',
        MessageDeduplicationId: again === undefined ? runtimeId : `${runtimeId}/${again}`,
      }),
    );
  }

  async *deadLetters(): AsyncIterable<{ body: string; remove(): Promise<void> }> {
    for (const QueueUrl of this.urls.deadLetterQueueUrls) {
      for (let batch = 0; batch < deadLetterBatches; batch++) {
        const { Messages = [] } = await this.client.send(
          new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: batchSize }),
        );
        if (Messages.length === 0) break;
        for (const { Body = '', ReceiptHandle } of Messages) {
          const remove = async () =>
            void (await this.client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })));
          yield { body: Body, remove };
        }
      }
    }
  }

  async createBell(runtime: OwnedRuntime): Promise<void> {
    await this.client.send(
      new CreateQueueCommand({
        QueueName: this.bellName(runtime.id),
        Attributes: { MessageRetentionPeriod: bellRetentionSeconds, VisibilityTimeout: bellRetentionSeconds },
        tags: { [tagKeys.stack]: this.urls.stack, [tagKeys.tenant]: runtime.tenant, ...ownerTags(runtime) },
      }),
    );
  }

  async ring(runtimeId: string): Promise<void> {
    await this.ignoreMissing(
      this.client.send(new SendMessageCommand({ QueueUrl: this.bellUrl(runtimeId), MessageBody: 'look' })),
    );
  }

  async deleteBell(runtimeId: string): Promise<void> {
    await this.ignoreMissing(this.client.send(new DeleteQueueCommand({ QueueUrl: this.bellUrl(runtimeId) })));
  }

  async bells(cursor: string | undefined): Promise<Page<string>> {
    const prefix = this.bellName('');
    const answer = await this.client.send(
      new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: bellsPerPage, NextToken: cursor }),
    );
    const names = (answer.QueueUrls ?? []).map((url) => url.slice(url.lastIndexOf('/') + 1));
    return { items: names.map((name) => name.slice(prefix.length)), next: answer.NextToken };
  }

  bellUrl(runtimeId: string): string {
    return this.urls.workQueueUrl.replace(/[^/]+$/, this.bellName(runtimeId));
  }

  private bellName(runtimeId: string): string {
    return `${this.urls.stack}-bell-${runtimeId}`;
  }

  private async ignoreMissing(call: Promise<unknown>): Promise<void> {
    try {
      await call;
    } catch (error) {
      if (!(error instanceof QueueDoesNotExist)) throw error;
    }
  }
}
