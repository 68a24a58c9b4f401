import { DeleteCommand, type TransactWriteCommandInput, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Rooms, Slot } from '../app/ports.ts';
import { roomHead } from '../domain/head.ts';
import { dueEntry, headKey, type Key, partitionOf } from './keys.ts';
import { type Table, whether } from './table.ts';
import { writeTogether } from './transaction.ts';

const slotPrefix = 'slot#';
const waitingPrefix = 'waiting#';

/**
 * The runtimes that a tenant has at once: one row for each, which comes and goes together with a count of them, so that
 * the count can't drift; and one row for each launch that waits. Runtimes' ids sort by the time of their decision.
 */
export class RoomStore implements Rooms {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async enter(tenant: string, slot: Slot, limit: number | undefined): Promise<boolean> {
    const key = slotKey(tenant, slot.runtimeId);
    const outcome = await this.together([
      { Put: { ...this.at, Item: { ...key, ...slot }, ConditionExpression: 'attribute_not_exists(pk)' } },
      { Delete: { ...this.at, Key: waitingKey(tenant, slot.runtimeId) } },
      { Update: this.count(tenant, 1, limit) },
    ]);
    if (outcome === 'done') return true;
    const isIn = outcome[0] === 'ConditionalCheckFailed';
    if (isIn) await this.stopWaiting(tenant, slot.runtimeId);
    return isIn;
  }

  async has(tenant: string, runtimeId: string): Promise<boolean> {
    return (await this.table.get(slotKey(tenant, runtimeId), true)) !== undefined;
  }

  async leave(tenant: string, runtimeId: string): Promise<boolean> {
    const Key = waitingKey(tenant, runtimeId);
    const left = await this.table.client.send(new DeleteCommand({ ...this.at, Key, ReturnValues: 'ALL_OLD' }));
    const outcome = await this.together([
      { Delete: { ...this.at, Key: slotKey(tenant, runtimeId), ConditionExpression: 'attribute_exists(pk)' } },
      { Update: this.count(tenant, -1, undefined) },
    ]);
    return outcome === 'done' || left.Attributes !== undefined;
  }

  async wait(tenant: string, runtimeId: string, agentId: string, lookMs: number): Promise<void> {
    await this.table.put({ ...waitingKey(tenant, runtimeId), runtimeId, agentId });
    const { duePk, dueAt } = dueEntry(roomHead(tenant).id, lookMs);
    await whether(
      this.table.client.send(
        new UpdateCommand({
          ...this.at,
          Key: headKey(roomHead(tenant)),
          UpdateExpression: 'SET duePk = :pk, dueAt = :at, tenant = :tenant, id = :id',
          ConditionExpression: 'attribute_not_exists(dueAt) OR dueAt > :at',
          ExpressionAttributeValues: { ':pk': duePk, ':at': dueAt, ':tenant': tenant, ':id': roomHead(tenant).id },
        }),
      ),
    );
  }

  async stopWaiting(tenant: string, runtimeId: string): Promise<void> {
    await this.table.client.send(new DeleteCommand({ ...this.at, Key: waitingKey(tenant, runtimeId) }));
  }

  async waiting(tenant: string, limit: number): Promise<{ runtimeId: string; agentId: string }[]> {
    const items = await this.table.page(partitionOf(roomHead(tenant)), waitingPrefix, { limit, strong: true });
    return items.map(({ runtimeId, agentId }) => ({ runtimeId: String(runtimeId), agentId: String(agentId) }));
  }

  async state(tenant: string): Promise<{ used: number; dueAtMs: number | undefined; cursor: string | undefined }> {
    const item = await this.table.get(headKey(roomHead(tenant)), true);
    return {
      used: Number(item?.used ?? 0),
      dueAtMs: item?.dueAt === undefined ? undefined : Number(item.dueAt),
      cursor: item?.cursor === undefined ? undefined : String(item.cursor),
    };
  }

  async slots(tenant: string, limit: number, after: string | undefined): Promise<Slot[]> {
    const options = { limit, strong: true, after: after === undefined ? undefined : `${slotPrefix}${after}` };
    const items = await this.table.page(partitionOf(roomHead(tenant)), slotPrefix, options);
    // A page after a key is not bounded by the prefix at its end.
    return items.flatMap((item) => (String(item.sk).startsWith(slotPrefix) ? [toSlot(item)] : []));
  }

  async lookedAt(
    tenant: string,
    seenDueMs: number | undefined,
    next: { dueAtMs: number | undefined; cursor: string | undefined },
  ): Promise<void> {
    const { duePk, dueAt } = { duePk: undefined, dueAt: undefined, ...dueEntry(roomHead(tenant).id, next.dueAtMs) };
    await this.table.change(
      headKey(roomHead(tenant)),
      { duePk, dueAt, cursor: next.cursor },
      { tenant, dueAt: seenDueMs },
    );
  }

  private count(tenant: string, by: 1 | -1, limit: number | undefined) {
    const { id } = roomHead(tenant);
    return {
      ...this.at,
      Key: headKey(roomHead(tenant)),
      UpdateExpression: 'SET tenant = :tenant, id = :id ADD used :by',
      ...(limit === undefined ? {} : { ConditionExpression: 'attribute_not_exists(used) OR used < :limit' }),
      ExpressionAttributeValues: {
        ':tenant': tenant,
        ':id': id,
        ':by': by,
        ...(limit === undefined ? {} : { ':limit': limit }),
      },
    };
  }

  /** All of it or nothing. @returns `done`, or why each part was refused */
  private together(items: NonNullable<TransactWriteCommandInput['TransactItems']>): Promise<'done' | string[]> {
    return writeTogether(this.table, items);
  }

  private get at() {
    return { TableName: this.table.name };
  }
}

const slotKey = (tenant: string, runtimeId: string): Key => ({
  pk: partitionOf(roomHead(tenant)),
  sk: `${slotPrefix}${runtimeId}`,
});
const waitingKey = (tenant: string, runtimeId: string): Key => ({
  pk: partitionOf(roomHead(tenant)),
  sk: `${waitingPrefix}${runtimeId}`,
});

function toSlot({ runtimeId, agentId, pool }: Record<string, unknown>): Slot {
  return {
    runtimeId: String(runtimeId),
    ...(agentId === undefined ? {} : { agentId: String(agentId) }),
    ...(pool === undefined ? {} : { pool: String(pool) }),
  };
}
