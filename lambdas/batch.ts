import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from '../lib/app/ports.ts';

/** A message that can never succeed: it is written down and acknowledged. */
export class Hopeless extends Error {}

/**
 * Handles the records of an SQS batch and reports those that failed, so that only they come again. In a FIFO queue's
 * batch a group stops at its first failure, which keeps its order; other groups must not wait for it.
 */
export async function eachRecord(
  event: SQSEvent,
  log: Logger,
  handle: (record: SQSRecord) => Promise<void>,
): Promise<SQSBatchResponse> {
  const isFifo = event.Records[0]?.eventSourceARN.endsWith('.fifo') ?? false;
  const failed: string[] = [];
  if (isFifo) {
    const stopped = new Set<string | undefined>();
    for (const record of event.Records) {
      const group = record.attributes.MessageGroupId;
      if (!stopped.has(group) && (await succeeds(record, log, handle))) continue;
      stopped.add(group);
      failed.push(record.messageId);
    }
  } else {
    const results = await Promise.all(event.Records.map((record) => succeeds(record, log, handle)));
    failed.push(...event.Records.filter((_, i) => !results[i]).map((record) => record.messageId));
  }
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

async function succeeds(
  record: SQSRecord,
  log: Logger,
  handle: (record: SQSRecord) => Promise<void>,
): Promise<boolean> {
  try {
    await handle(record);
    return true;
  } catch (error) {
    const hopeless = error instanceof Hopeless;
    log.error(hopeless ? 'message dropped' : 'message failed', {
      messageId: record.messageId,
      body: record.body,
      error,
    });
    return hopeless;
  }
}

/** Parses a body that we sent ourselves. @throws Hopeless when it is something else. */
export function parsed<T>(record: SQSRecord, read: (value: Record<string, unknown>) => T | undefined): T {
  let value: unknown;
  try {
    value = JSON.parse(record.body);
  } catch {
    throw new Hopeless('The message is not JSON.');
  }
  const result = typeof value === 'object' && value !== null ? read(value as Record<string, unknown>) : undefined;
  if (result === undefined) throw new Hopeless('The message is not one of ours.');
  return result;
}
