import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord } from 'aws-lambda';
import { recordWrites, type StreamedWrite } from '../lib/app/record.ts';
import { kindOfPartition, livePrefix } from '../lib/aws/keys.ts';
import type { CarriedEvent } from '../lib/domain/event.ts';
import { headRefOf } from '../lib/domain/head.ts';
import type { Parent } from '../lib/domain/parent.ts';
import { finalStatuses } from '../lib/domain/task.ts';
import type { FunctionDeps } from './deps.ts';

/** Records what the writes of one head's rows tell, in their order. */
export async function recordAll(deps: FunctionDeps, records: DynamoDBRecord[]): Promise<void> {
  const writes = records.map(toWrite).filter((write) => write !== undefined);
  const [first] = writes;
  if (!first) return;
  const recorded = await recordWrites(deps, first.head, writes);
  await deps.bus.publish(first.head.tenant, recorded);
}

/** Records by partition: every head has one of its own. */
export function byHead(records: DynamoDBRecord[]): DynamoDBRecord[][] {
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
  const kind = kindOfPartition(Keys?.pk?.S ?? '');
  const head = headRefOf({ tenant: row.tenant, kind, id: isLive ? row.agentId : row.id });
  if (!head) return undefined;
  const parent = row.parent as Parent | undefined;
  return {
    head,
    ...(isLive ? { taskId: String(row.id) } : {}),
    ...(isLive && parent?.type === 'run' ? { runId: parent.runId } : {}),
    sequence: SequenceNumber ?? '',
    rowVersion: Number(row.version),
    events: (row.events as CarriedEvent[] | undefined) ?? [],
    isNewTask: isLive && record.eventName === 'INSERT',
    ending:
      parent && hasEnded(row.status) ? { parent, tenant: head.tenant, id: row.id, status: row.status } : undefined,
  };
}

/** Tasks and runs end in the same ways. */
function hasEnded(status: unknown): boolean {
  return (finalStatuses as readonly unknown[]).includes(status);
}
