import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import { Conflict, type EventLog, type EventQuery, type Page, type StreamedEvents } from '../app/ports.ts';
import type { RecordedEvent } from '../domain/event.ts';
import { type HeadRef, subjectOf } from '../domain/head.ts';
import { shardOf } from '../domain/id.ts';
import { eventKey, eventPartition, eventPrefix, feedPartition, feedSort, type Key, listShards } from './keys.ts';
import type { Item, Table } from './table.ts';

/**
 * The tenant-wide feed stays this far behind, so that what is recorded a little later elsewhere is not overtaken:
 * an index entry is propagated within a second or so, and recorders' clocks are about equal.
 */
export const feedLagMs = 2_000;
/** Events of one item: an item must stay far below 400 KB. */
const eventsPerItem = 100;
/** After these what they tell of may be silent for ever; after the others something follows within a runtime's life. */
const quietAfter = [
  'agent.created',
  'agent.paused',
  'agent.failed',
  'agent.terminated',
  'agent.launch_failed',
  'agent.runtime_lost',
  'workflow.step_waiting',
];
const busyAfter = ['agent.starting', 'agent.running', 'agent.stopping'];

interface Tail {
  /** The last number given. */
  seq: number;
  /** The last position of the stream that was recorded. */
  sequence: string;
  /** The next event may come after years. */
  isQuiet: boolean;
  /** The tail's sort key if it has no end yet. */
  lastingSk: string | undefined;
}

type Cursor = { cursor: string | undefined };

/**
 * A head's events, several to an item, under the number of the first. The newest item is also the tail: it tells the
 * last number and the last position in the stream, and the next item is put only if nobody else has put it. One write
 * therefore records a batch and remembers that it did.
 */
export class DynamoEventLog implements EventLog {
  private readonly table: Table;
  private readonly retentionSeconds: number;

  constructor(table: Table, retentionDays: number) {
    this.table = table;
    this.retentionSeconds = retentionDays * 86_400;
  }

  async append(head: HeadRef, records: StreamedEvents[], nowMs: number): Promise<RecordedEvent[]> {
    const tail = await this.tail(head);
    const fresh: StreamedEvents[] = [];
    const recorded: RecordedEvent[] = [];
    const seen = new Set<string>();
    for (const record of records) {
      const id = record.events[0]?.id;
      if (id === undefined || seen.has(id)) continue;
      seen.add(id);
      const known = comparePositions(record.sequence, tail.sequence) > 0 ? undefined : await this.find(head, record);
      if (known) recorded.push(...known);
      else fresh.push(record);
    }
    const owner = ownerOf(head);
    let { seq, sequence, isQuiet, lastingSk } = tail;
    for (const chunk of chunksOf(fresh, eventsPerItem)) {
      const events = chunk.flatMap(({ events, taskId, runId, rowVersion }) =>
        events.map(
          (event): RecordedEvent => ({ ...event, seq: ++seq, ...defined({ taskId, runId }), ...owner, rowVersion }),
        ),
      );
      const first = events[0];
      if (!first) continue;
      for (const record of chunk) if (comparePositions(record.sequence, sequence) > 0) sequence = record.sequence;
      for (const { type } of events) isQuiet = staysQuiet(type, isQuiet);
      const ttl = Math.floor(nowMs / 1000) + this.retentionSeconds;
      const item = {
        ...eventKey(head, first.seq),
        events: events.map((event) => without(event, owner)),
        last: seq,
        sequence,
        ...owner,
        feedPk: feedPartition(head.tenant, shardOf(subjectOf(head), listShards)),
        feedSk: feedSort(nowMs, subjectOf(head), first.seq),
        // The tail of what may sleep for years outlives the retention: numbers are never given twice.
        ...(isQuiet ? { isQuiet } : { ttl }),
      };
      if (!(await this.table.putNew(item))) throw new Conflict(`The event log of ${subjectOf(head)}`);
      if (lastingSk !== undefined) await this.table.change({ pk: item.pk, sk: lastingSk }, { ttl }, owner);
      lastingSk = isQuiet ? item.sk : undefined;
      recorded.push(...events);
    }
    return recorded.sort((a, b) => a.seq - b.seq);
  }

  async of(head: HeadRef, query: EventQuery): Promise<Page<RecordedEvent> & Cursor> {
    const after = query.after === undefined ? 0 : Number(query.after);
    const pk = eventPartition(head);
    // The item that holds the next number begins at or before it: look one back, then forward.
    const [holding] = await this.table.page(pk, eventPrefix, {
      limit: 1,
      strong: true,
      newestFirst: true,
      before: eventKey(head, after + 2).sk,
    });
    const later = await this.table.page(pk, eventPrefix, {
      limit: query.limit,
      strong: true,
      after: eventKey(head, after + 1).sk,
    });
    const events = [...(holding ? [holding] : []), ...later].flatMap(toEvents).filter((event) => event.seq > after);
    const items = events.slice(0, query.limit);
    const cursor = items.at(-1)?.seq ?? (after || undefined);
    return {
      items,
      next: events.length > query.limit ? String(cursor) : undefined,
      cursor: cursor === undefined ? undefined : String(cursor),
    };
  }

  async ofTenant(tenant: string, query: EventQuery, nowMs: number): Promise<Page<RecordedEvent> & Cursor> {
    const [afterSort = '', afterSeq = '0'] = query.after?.split('|') ?? [];
    const until = feedSort(nowMs - feedLagMs, '', 0);
    const shards = await Promise.all(
      Array.from({ length: listShards }, (_, shard) =>
        this.feedShard(feedPartition(tenant, shard), afterSort, until, query.limit + 2),
      ),
    );
    const entries = shards.flat().sort((a, b) => (a.sort < b.sort ? -1 : 1));
    // The first may be the cursor's own, of which nothing is left to tell.
    const read = entries.slice(0, query.limit + 1);
    const found = await this.table.getAll(read.map((entry) => entry.key));
    const bySort = found.flatMap((item) =>
      toEvents(item)
        .filter((event) => String(item.feedSk) > afterSort || event.seq > Number(afterSeq))
        .map((event) => ({ event, cursor: `${item.feedSk}|${event.seq}` })),
    );
    const page = bySort.slice(0, query.limit);
    const more = bySort.length > query.limit || entries.length > read.length;
    const cursor = page.at(-1)?.cursor ?? query.after;
    return { items: page.map((one) => one.event), next: more ? cursor : undefined, cursor };
  }

  private async feedShard(
    feedPk: string,
    from: string,
    until: string,
    limit: number,
  ): Promise<{ sort: string; key: Key }[]> {
    const answer = await this.table.client.send(
      new QueryCommand({
        TableName: this.table.name,
        IndexName: 'feed',
        KeyConditionExpression: 'feedPk = :pk AND feedSk BETWEEN :from AND :until',
        ExpressionAttributeValues: {
          ':pk': feedPk,
          ':from': from || '0',
          ':until': until > from ? until : from || '0',
        },
        Limit: limit,
      }),
    );
    return (answer.Items ?? []).map((item) => ({
      sort: String(item.feedSk),
      key: { pk: String(item.pk), sk: String(item.sk) },
    }));
  }

  private async tail(head: HeadRef): Promise<Tail> {
    const [item] = await this.table.page(eventPartition(head), eventPrefix, {
      limit: 1,
      strong: true,
      newestFirst: true,
    });
    return {
      seq: Number(item?.last ?? 0),
      sequence: String(item?.sequence ?? ''),
      isQuiet: item?.isQuiet === true,
      lastingSk: item && item.ttl === undefined ? String(item.sk) : undefined,
    };
  }

  /** The events of a write that was recorded before: asked only for what comes again, so it may read backwards. */
  private async find(head: HeadRef, record: StreamedEvents): Promise<RecordedEvent[] | undefined> {
    const wanted = new Set(record.events.map((event) => event.id));
    const recordedAfterMs = (record.events[0]?.timeMs ?? 0) - 60_000;
    let before: string | undefined;
    for (;;) {
      const items = await this.table.page(eventPartition(head), eventPrefix, {
        limit: 25,
        strong: true,
        newestFirst: true,
        before,
      });
      for (const item of items) {
        const found = toEvents(item).filter((event) => wanted.has(event.id));
        if (found.length > 0) return found;
      }
      const oldest = items.at(-1);
      if (!oldest || items.length < 25 || recordedMs(oldest) < recordedAfterMs) return undefined;
      before = String(oldest.sk);
    }
  }
}

function toEvents(item: Item): RecordedEvent[] {
  const { agentId, runId, schedule, pool, fleet } = item as Owner;
  return (item.events as RecordedEvent[]).map((event) => ({
    ...event,
    ...defined({ agentId, runId, schedule, pool, fleet }),
  }));
}

/** What all events of an item are of. */
type Owner = Pick<RecordedEvent, 'agentId' | 'runId' | 'schedule' | 'pool' | 'fleet'>;

const ownerNames = { agent: 'agentId', run: 'runId', schedule: 'schedule', pool: 'pool', fleet: 'fleet' } as const;

function ownerOf({ kind, id }: HeadRef): Owner {
  // A room has no events.
  return kind === 'room' ? {} : { [ownerNames[kind]]: id };
}

function without(event: RecordedEvent, owner: Owner): Item {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !(name in owner)));
}

function staysQuiet(type: string, before: boolean): boolean {
  // A schedule may fire once a year; a pool may be full, and a fleet in order, for as long.
  if (quietAfter.includes(type) || /^(schedule|pool|fleet)\./.test(type)) return true;
  return busyAfter.includes(type) || type.startsWith('workflow.') ? false : before;
}

/** When an item was put: items come in this order, whatever the times of their events. */
function recordedMs(item: Item): number {
  return Number(String(item.feedSk).split('#', 1)[0]);
}

/** Positions in a stream are decimal numbers of up to 40 digits. */
function comparePositions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Groups of records with at most about `size` events each. */
function chunksOf(records: StreamedEvents[], size: number): StreamedEvents[][] {
  const chunks: StreamedEvents[][] = [];
  let count = size;
  for (const record of records) {
    if (count + record.events.length > size) {
      chunks.push([]);
      count = 0;
    }
    chunks.at(-1)!.push(record);
    count += record.events.length;
  }
  return chunks;
}

function defined<T extends Record<string, unknown>>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
