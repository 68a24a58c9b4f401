import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type { Page } from '../app/ports.ts';
import type { Schedules } from '../app/schedules/ports.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { scheduleHead } from '../domain/head.ts';
import type { Fire, PlannedFire, Schedule, Settlement } from '../domain/schedule.ts';
import { withPacked, withUnpacked } from './free-json.ts';
import {
  agentPartition,
  bufferKey,
  bufferPrefix,
  dueEntry,
  fireKey,
  firePrefix,
  headKey,
  type Key,
  listEntry,
  ownedKey,
  ownedPrefix,
  walkKey,
} from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';

/** Attributes of a head row that are not the schedule's own. */
const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'duePk', 'dueAt', 'events', 'ttl'] as const;
/** Attributes that hold what users say. */
const free = ['definition'] as const;
/** What is left of a deleted schedule goes after this long. */
const tombstoneSeconds = 86_400;

const headOf = ({ tenant, id }: Schedule) => scheduleHead(tenant, id);

export class ScheduleStore implements Schedules {
  private readonly table: Table;
  private readonly retentionSeconds: number;

  /** @param retentionDays how long fires are kept after they were decided */
  constructor(table: Table, retentionDays: number) {
    this.table = table;
    this.retentionSeconds = retentionDays * 86_400;
  }

  async get(tenant: string, name: string): Promise<Schedule | undefined> {
    return toSchedule(await this.table.get(headKey(scheduleHead(tenant, name)), true));
  }

  async create(schedule: Schedule, before: Schedule | undefined, events: CarriedEvent[]): Promise<void> {
    const item = { ...headKey(headOf(schedule)), ...row(schedule), events };
    const written = await this.table.put(
      item,
      before
        ? {
            ConditionExpression: '#version = :version',
            ExpressionAttributeNames: { '#version': 'version' },
            ExpressionAttributeValues: { ':version': before.version },
          }
        : { ConditionExpression: 'attribute_not_exists(pk)' },
    );
    orConflict(written, `Schedule ${schedule.id}`);
  }

  async commit(before: Schedule, after: Schedule, events: CarriedEvent[]): Promise<void> {
    const changes: Item = { ...difference(row(before), row(after)), events: events.length ? events : undefined };
    const expected: Item = { version: before.version };
    // It may have been made due earlier without a new version: a later due time must not overwrite that unseen.
    if ('dueAt' in changes) expected.dueAt = before.dueAtMs;
    orConflict(await this.table.change(headKey(headOf(before)), changes, expected), `Schedule ${before.id}`);
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<Schedule>> {
    const keys = await this.table.listKeys(tenant, 'schedules', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toSchedule(item) ?? []), next: keys.next };
  }

  async addOwned(tenant: string, agentId: string, name: string): Promise<void> {
    await this.table.putNew({ ...ownedKey(tenant, agentId, name), schedule: name });
  }

  async removeOwned(tenant: string, agentId: string, name: string): Promise<void> {
    await this.delete(ownedKey(tenant, agentId, name));
  }

  async owned(tenant: string, agentId: string, limit: number): Promise<string[]> {
    const items = await this.table.page(agentPartition(tenant, agentId), ownedPrefix, { limit, strong: true });
    return items.map((item) => String(item.schedule));
  }

  async settle(schedule: Schedule, { fire, buffered, unbuffered }: Settlement): Promise<void> {
    const head = headOf(schedule);
    const { seed, version } = schedule;
    if (buffered !== undefined)
      await this.table.put({ ...bufferKey(head, buffered), ...planOf(fire), number: buffered });
    await this.table.put(
      { ...fireKey(head, fire.scheduledMs), ...fire, seed, version, ttl: this.ttlOf(fire.decidedMs) },
      {
        // A schedule of the same name that is no more may have had this fire too.
        ConditionExpression: 'attribute_not_exists(pk) OR seed <> :seed OR #version < :version',
        ExpressionAttributeNames: { '#version': 'version' },
        ExpressionAttributeValues: { ':seed': seed, ':version': version },
      },
    );
    if (unbuffered !== undefined) await this.delete(bufferKey(head, unbuffered));
  }

  async fire(schedule: Schedule, scheduledMs: number): Promise<Fire | undefined> {
    return toFire(schedule, await this.table.get(fireKey(headOf(schedule), scheduledMs), true));
  }

  async fires(schedule: Schedule, scheduledMs: number[]): Promise<Fire[]> {
    const keys = scheduledMs.map((timeMs) => fireKey(headOf(schedule), timeMs));
    return (await this.table.getAll(keys, true)).flatMap((item) => toFire(schedule, item) ?? []);
  }

  async pageOfFires(schedule: Schedule, limit: number, beforeMs: number | undefined): Promise<Page<Fire>> {
    const head = headOf(schedule);
    const items = await this.table.page(headKey(head).pk, firePrefix, {
      limit: limit + 1,
      strong: true,
      newestFirst: true,
      before: beforeMs === undefined ? undefined : fireKey(head, beforeMs).sk,
    });
    const page = items.slice(0, limit);
    return {
      items: page.flatMap((item) => toFire(schedule, item) ?? []),
      next: items.length > limit ? String(page.at(-1)?.scheduledMs) : undefined,
    };
  }

  async firstBuffered(schedule: Schedule): Promise<{ fire: PlannedFire; number: number } | undefined> {
    const head = headOf(schedule);
    const [item] = await this.table.page(headKey(head).pk, bufferPrefix, {
      limit: 1,
      strong: true,
      after: bufferKey(head, schedule.buffer.taken).sk,
    });
    return item && { fire: planOf(item as unknown as Fire), number: Number(item.number) };
  }

  async clearBuffer(schedule: Schedule): Promise<void> {
    const { pk } = headKey(headOf(schedule));
    const items = await this.table.page(pk, bufferPrefix, { limit: 1000, strong: true });
    for (const { sk } of items) await this.delete({ pk, sk: String(sk) });
  }

  async walked(): Promise<string | undefined> {
    const item = await this.table.get(walkKey, false);
    return item?.position === undefined ? undefined : String(item.position);
  }

  async setWalked(position: string | undefined): Promise<void> {
    await this.table.put({ ...walkKey, position });
  }

  private async delete(key: Key): Promise<void> {
    await this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key: key }));
  }

  private ttlOf(timeMs: number): number {
    return Math.floor(timeMs / 1000) + this.retentionSeconds;
  }
}

function row(schedule: Schedule): Item {
  const { dueAtMs, ...rest } = schedule;
  const { tenant, id, seed, status, updatedMs } = schedule;
  const isGone = status === 'deleted';
  return {
    ...withPacked(rest, free),
    ...dueEntry(id, dueAtMs),
    ...(isGone ? {} : listEntry(tenant, 'schedules', seed)),
    // Nothing is left to be done for it.
    ...(isGone && dueAtMs === undefined ? { ttl: Math.floor(updatedMs / 1000) + tombstoneSeconds } : {}),
  };
}

/** A schedule as its head row holds it. */
export function toSchedule(item: Item | undefined): Schedule | undefined {
  if (!item) return undefined;
  const own = Object.fromEntries(
    Object.entries(item).filter(([name]) => !(rowAttributes as readonly string[]).includes(name)),
  );
  const due = item.dueAt === undefined ? {} : { dueAtMs: Number(item.dueAt) };
  return { ...withUnpacked(own, free), ...due } as unknown as Schedule;
}

function toFire(schedule: Schedule, item: Item | undefined): Fire | undefined {
  if (!item || item.seed !== schedule.seed) return undefined;
  const { pk: _pk, sk: _sk, seed: _seed, version: _version, ttl: _ttl, ...fire } = item;
  return fire as unknown as Fire;
}

function planOf({ scheduledMs, cause, request, decidedMs }: Fire): PlannedFire {
  return { scheduledMs, cause, request, decidedMs };
}
