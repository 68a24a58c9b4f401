import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';
import { byHead, recordAll } from './stream.ts';

/**
 * Stream of the state table → event log, bus, nudges for new work. Records of one head come in order; the log skips
 * what it has, so a batch that comes again does no harm. A batch fails from its first failed record on, is halved and
 * tried again, and what still fails goes whole to the bucket, from where the sweep replays it.
 */
export function makeHandler(deps: FunctionDeps) {
  return async (event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const failed: DynamoDBRecord[] = [];
    await Promise.all(
      byHead(event.Records).map(async (records) => {
        try {
          await recordAll(deps, records);
        } catch (error) {
          const { pk } = records[0]?.dynamodb?.Keys ?? {};
          deps.log.error('events not recorded', { pk: pk?.S, records: records.length, error });
          failed.push(records[0]!);
        }
      }),
    );
    // Lambda goes on from the earliest failure; what was recorded after it is skipped the next time.
    const order = new Map(event.Records.map((record, i) => [record, i]));
    const first = failed.sort((a, b) => order.get(a)! - order.get(b)!)[0]?.dynamodb?.SequenceNumber;
    return { batchItemFailures: first === undefined ? [] : [{ itemIdentifier: first }] };
  };
}

export const handler = wrapped('record', makeHandler);
