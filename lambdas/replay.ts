import type { DynamoDBStreamEvent } from 'aws-lambda';
import { failedRecordsPrefix } from '../lib/aws/keys.ts';
import type { FunctionDeps } from './deps.ts';
import { byHead, recordAll } from './stream.ts';

/** One sweep replays this many batches; the rest waits for the next. */
const batchesPerSweep = 20;

/**
 * Batches that the stream could not deliver lie whole in the bucket, where Lambda has put them. They are recorded by
 * the same rule as any other, and removed. One that fails again stays, and is seen in the log each time.
 */
export async function replayFailedRecords(deps: FunctionDeps): Promise<number> {
  let replayed = 0;
  for await (const keys of deps.objects.list(failedRecordsPrefix)) {
    for (const key of keys.slice(0, batchesPerSweep)) {
      try {
        await replay(deps, key);
        replayed += 1;
      } catch (error) {
        deps.log.error('failed records not replayed', { key, error });
      }
    }
    break;
  }
  return replayed;
}

async function replay(deps: FunctionDeps, key: string): Promise<void> {
  const body = await deps.objects.get(key);
  if (!body) return;
  const { payload } = JSON.parse(Buffer.from(body).toString()) as { payload?: string | DynamoDBStreamEvent };
  const event = typeof payload === 'string' ? (JSON.parse(payload) as DynamoDBStreamEvent) : payload;
  for (const records of byHead(event?.Records ?? [])) await recordAll(deps, records);
  await deps.objects.delete([key]);
}
