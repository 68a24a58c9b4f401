import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from '../lib/app/ports.ts';

/** A message that can never succeed: it is written down and acknowledged. */
export class Hopeless extends Error {}

/**
 * Handles the records of an SQS batch and reports those that failed, so that only they come again. In a FIFO queue's
 * batch a group is handled in its order and stops at its first failure; other groups do not wait for it.
 */
export async function eachRecord(
  event: SQSEvent,
  log: Logger,
  handle: (record: SQSRecord) => Promise<void>,
): Promise<SQSBatchResponse> {
  const groups = Map.groupBy(event.Records, (record) => record.attributes.MessageGroupId ?? record.messageId);
  const failed = await Promise.all(
    [...groups.values()].map(async (records) => {
      for (const [i, record] of records.entries()) if (!(await succeeds(record, log, handle))) return records.slice(i);
      return [];
    }),
  );
  return reported(failed.flat());
}

/** Handles the records of a batch beside each other, each begun so much after the one before it. */
export async function eachRecordPaced(
  event: SQSEvent,
  deps: { log: Logger; sleep(ms: number): Promise<void> },
  spacingMs: number,
  handle: (record: SQSRecord) => Promise<void>,
): Promise<SQSBatchResponse> {
  const failed = await Promise.all(
    event.Records.map(async (record, i) => {
      if (i > 0) await deps.sleep(i * spacingMs);
      return (await succeeds(record, deps.log, handle)) ? [] : [record];
    }),
  );
  return reported(failed.flat());
}

function reported(failed: SQSRecord[]): SQSBatchResponse {
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
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
