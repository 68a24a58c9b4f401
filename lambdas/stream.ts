import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { recordWrites, type StreamedWrite } from '../lib/app/record.ts';
import { livePrefix } from '../lib/aws/keys.ts';
import type { CarriedEvent } from '../lib/domain/event.ts';
import type { FunctionDeps } from './deps.ts';

/** Records what the writes of one agent's rows tell, in their order. */
export async function recordAll(deps: FunctionDeps, records: DynamoDBRecord[]): Promise<void> {
  const writes = records.map(toWrite).filter((write) => write !== undefined);
  const [first] = writes;
  if (!first) return;
  const recorded = await recordWrites(deps, first.tenant, first.agentId, writes);
  await deps.bus.publish(first.tenant, recorded);
}

/** Records by agent: each has a partition of its own. */
export function byAgent(records: DynamoDBRecord[]): DynamoDBRecord[][] {
  const groups = new Map<string, DynamoDBRecord[]>();
  for (const record of records) {
    const pk = record.dynamodb?.Keys?.pk?.S ?? '';
    const group = groups.get(pk);
    if (group) group.push(record);
    else groups.set(pk, [record]);
  }
  return [...groups.values()];
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
