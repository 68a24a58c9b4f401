import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { recordWrites, type StreamedWrite } from '../lib/app/record.ts';
import { livePrefix } from '../lib/aws/keys.ts';
import type { CarriedEvent } from '../lib/domain/event.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/**
 * Stream of the state table → event log, bus, nudges for new work. Records of one agent come in order; the log skips
 * what it has, so a batch that comes again does no harm. A batch fails from its first failed record on, is halved and
 * tried again, and what still fails goes whole to the bucket, from where the sweep replays it.
 */
export function makeHandler(deps: FunctionDeps) {
  return async (event: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
    const failed: DynamoDBRecord[] = [];
    await Promise.all(
      [...byAgent(event.Records)].map(async ([, records]) => {
        try {
          await recordAll(deps, records);
        } catch (error) {
          const { agentId } = toWrite(records[0]!) ?? {};
          deps.log.error('events not recorded', { agentId, records: records.length, error });
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

async function recordAll(deps: FunctionDeps, records: DynamoDBRecord[]): Promise<void> {
  const writes = records.map(toWrite).filter((write) => write !== undefined);
  const [first] = writes;
  if (!first) return;
  const recorded = await recordWrites(deps, first.tenant, first.agentId, writes);
  await deps.bus.publish(first.tenant, recorded);
}

function byAgent(records: DynamoDBRecord[]): Map<string, DynamoDBRecord[]> {
  const groups = new Map<string, DynamoDBRecord[]>();
  for (const record of records) {
    const pk = record.dynamodb?.Keys?.pk?.S ?? '';
    const group = groups.get(pk);
    if (group) group.push(record);
    else groups.set(pk, [record]);
  }
  return groups;
}

/** What a record tells, or undefined if its row's version is not a new one (a heartbeat, a due time) or it was deleted. */
function toWrite(record: DynamoDBRecord): StreamedWrite | undefined {
  const { Keys, NewImage, OldImage, SequenceNumber } = record.dynamodb ?? {};
  const sk = Keys?.sk?.S;
  const isLive = sk?.startsWith(livePrefix) ?? false;
  if (!NewImage || (sk !== 'head' && !isLive) || OldImage?.version?.N === NewImage.version?.N) return undefined;
  const row = unmarshall(NewImage as Record<string, AttributeValue>);
  const agentId = isLive ? row.agentId : row.id;
  if (typeof agentId !== 'string' || typeof row.tenant !== 'string' || !agentId.startsWith('agt_')) return undefined;
  return {
    tenant: row.tenant,
    agentId,
    ...(isLive ? { taskId: String(row.id) } : {}),
    sequence: SequenceNumber ?? '',
    rowVersion: Number(row.version),
    events: (row.events as CarriedEvent[] | undefined) ?? [],
    isNewTask: isLive && record.eventName === 'INSERT',
  };
}

export const handler = wrapped('record', makeHandler);
