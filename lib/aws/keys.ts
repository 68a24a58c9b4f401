import { agentHead, type HeadKind, type HeadRef, partitionName, subjectOf } from '../domain/head.ts';
import { shardOf } from '../domain/id.ts';

/**
 * Every key of both tables; those of the bucket are in lib/domain/object-key.ts. The layout is in docs/architecture.md; why it is so, in docs/adr/0001.
 */

export interface Key {
  pk: string;
  sk: string;
}

/** Due times are spread over this many index partitions, which one sweep reads in parallel. */
export const dueShards = 32;
/** Lists are spread over this many index partitions; 1,000 writes/s each (aws-facts 3). */
export const listShards = 8;

const pad = (value: number, length: number) => String(value).padStart(length, '0');

/** Everything of one head lies in one partition. */
export const partitionOf = (head: HeadRef) => `${head.tenant}#${head.kind}#${partitionName(head)}`;
/** A partition's kind of head. */
export const kindOfPartition = (pk: string) => pk.split('#', 2)[1] as HeadKind | undefined;
/** Works for every id that is the agent's own too: they share its code. */
export const agentPartition = (tenant: string, id: string) => partitionOf(agentHead(tenant, id));

export const headKey = (head: HeadRef): Key => ({ pk: partitionOf(head), sk: 'head' });

/** How many agents a tenant has, where that is limited. */
export const agentCountKey = (tenant: string): Key => ({ pk: `${tenant}#room#agents`, sk: 'count' });

export const livePrefix = 'live#';
/** Sorted by place, then by id. Places are milliseconds since the epoch, 13 digits until the year 2286. */
export const liveKey = (tenant: string, agentId: string, place: number, taskId: string): Key => ({
  pk: agentPartition(tenant, agentId),
  sk: `${livePrefix}${pad(place, 13)}#${taskId}`,
});

export const recordPrefix = 'task#';
export const recordKey = (tenant: string, taskId: string): Key => ({
  pk: agentPartition(tenant, taskId),
  sk: `${recordPrefix}${taskId}`,
});

export const runtimeKey = (tenant: string, runtimeId: string): Key => ({
  pk: agentPartition(tenant, runtimeId),
  sk: `runtime#${runtimeId}`,
});

export const generationPrefix = 'generation#';
export const generationKey = (tenant: string, agentId: string, number: number): Key => ({
  pk: agentPartition(tenant, agentId),
  sk: `${generationPrefix}${pad(number, 8)}`,
});

export const templateKey = (tenant: string, name: string): Key => ({ pk: `${tenant}#template#${name}`, sk: 'head' });
export const templateVersionKey = (tenant: string, name: string, version: number): Key => ({
  pk: `${tenant}#template#${name}`,
  sk: `version#${pad(version, 8)}`,
});

/** An agent that is made from a template: what keeps the template from being deleted. */
export const templateUserPrefix = 'agent#';
export const templateUserKey = (tenant: string, name: string, agentId: string): Key => ({
  pk: `${tenant}#template#${name}`,
  sk: `${templateUserPrefix}${agentId}`,
});

/** One fire of a schedule, by the time it was scheduled for: milliseconds, 13 digits until the year 2286. */
export const firePrefix = 'fire#';
export const fireKey = (schedule: HeadRef, scheduledMs: number): Key => ({
  pk: partitionOf(schedule),
  sk: `${firePrefix}${pad(scheduledMs, 13)}`,
});
/** A schedule that an agent has made for itself. */
export const ownedPrefix = 'schedule#';
export const ownedKey = (tenant: string, agentId: string, name: string): Key => ({
  pk: agentPartition(tenant, agentId),
  sk: `${ownedPrefix}${name}`,
});
/** A fire that waits for the one before it. */
export const bufferPrefix = 'buffer#';
export const bufferKey = (schedule: HeadRef, number: number): Key => ({
  pk: partitionOf(schedule),
  sk: `${bufferPrefix}${pad(number, 12)}`,
});
/** How far the walk through EventBridge Scheduler has come. */
export const walkKey: Key = { pk: 'walk#schedules', sk: 'row' };

export const workflowKey = (tenant: string, name: string): Key => ({ pk: `${tenant}#workflow#${name}`, sk: 'head' });
export const workflowVersionKey = (tenant: string, name: string, version: number): Key => ({
  pk: `${tenant}#workflow#${name}`,
  sk: `version#${pad(version, 8)}`,
});

export const inboxPrefix = 'inbox#';
/** Word of the end of a task or sub-run that its run has not taken into account. A step's id holds no "#". */
export const inboxKey = (run: HeadRef, end: { step: string; item?: number | undefined; id: string }): Key => ({
  pk: partitionOf(run),
  sk: `${inboxPrefix}${end.step}#${end.item === undefined ? '' : pad(end.item, 6)}#${end.id}`,
});

export const apiKeyKey = (keyHash: string): Key => ({ pk: `key#${keyHash}`, sk: 'key' });
export const idempotencyKey = (tenant: string, hash: string): Key => ({
  pk: `${tenant}#idempotency#${hash}`,
  sk: 'row',
});
export const waitersKey = (slot: number): Key => ({ pk: `waiters#${slot}`, sk: 'row' });

/** Immutable entries of the list index. */
export type ListName = 'agents' | 'tasks' | 'open' | 'templates' | 'workflows' | 'runs' | 'schedules';
export const listPartition = (tenant: string, list: ListName, shard: number) => `${tenant}#${list}#${shard}`;
export const listEntry = (tenant: string, list: ListName, id: string) => ({
  listPk: listPartition(tenant, list, shardOf(id, listShards)),
  listSk: id,
});

export const duePartition = (shard: number) => `due#${pad(shard, 2)}`;
/** Attributes of a head's row that put it in the due index, by the head's id. */
export const dueEntry = (id: string, dueAtMs: number | undefined) =>
  dueAtMs === undefined ? {} : { duePk: duePartition(shardOf(id, dueShards)), dueAt: dueAtMs };

export const eventPrefix = 'event#';
export const eventPartition = (head: HeadRef) => `${head.tenant}#${subjectOf(head)}`;
export const eventKey = (head: HeadRef, firstSeq: number): Key => ({
  pk: eventPartition(head),
  sk: `${eventPrefix}${pad(firstSeq, 12)}`,
});
export const feedPartition = (tenant: string, shard: number) => `${tenant}#feed#${shard}`;
export const feedSort = (timeMs: number, subject: string, firstSeq: number) =>
  `${pad(timeMs, 13)}#${subject}#${pad(firstSeq, 12)}`;

export const linesPartition = (tenant: string, agentId: string) => `${tenant}#${agentId}#lines`;

/** Batches of the stream that failed. Lambda chooses the rest: `<event source mapping>/<shard>/<date>/…`. */
export const failedRecordsPrefix = 'aws/lambda/';
