import { AwsError } from '../../errors.ts';
import { type MessageAttribute, sizeBytes } from './message.ts';

type Entry = Record<string, unknown>;

interface BatchAnswer {
  Successful: Entry[];
  Failed: { Id: string; SenderFault: boolean; Code: string; Message: string }[];
}

/** Does each entry for itself; the batch as a whole is refused when it is malformed. @param maxBytes of all bodies together */
export function inBatch(entries: unknown, run: (entry: Entry) => unknown, maxBytes?: number): BatchAnswer {
  const all = (entries ?? []) as Entry[];
  validate(all, maxBytes);
  const answer: BatchAnswer = { Successful: [], Failed: [] };
  for (const entry of all) {
    const Id = String(entry.Id);
    try {
      answer.Successful.push({ Id, ...(run(entry) as object | undefined) });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      answer.Failed.push({ Id, SenderFault: error.status < 500, Code: error.code, Message: error.message });
    }
  }
  return answer;
}

function validate(entries: Entry[], maxBytes: number | undefined): void {
  if (entries.length === 0)
    throw new AwsError('EmptyBatchRequest', 'There should be at least one entry in the request.');
  if (entries.length > 10)
    throw new AwsError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are 10. You have sent ${entries.length}.`,
    );
  const ids = new Set<unknown>();
  for (const { Id } of entries) {
    if (typeof Id !== 'string' || !/^[A-Za-z0-9_-]{1,80}$/.test(Id))
      throw new AwsError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
      );
    if (ids.has(Id)) throw new AwsError('BatchEntryIdsNotDistinct', `Id ${Id} repeated.`);
    ids.add(Id);
  }
  if (maxBytes === undefined) return;
  let size = 0;
  for (const entry of entries) {
    if (typeof entry.MessageBody === 'string')
      size += sizeBytes(entry.MessageBody, entry.MessageAttributes as Record<string, MessageAttribute> | undefined);
  }
  if (size > maxBytes)
    throw new AwsError(
      'BatchRequestTooLong',
      `Batch requests cannot be longer than ${maxBytes} bytes. You have sent ${size} bytes.`,
    );
}
