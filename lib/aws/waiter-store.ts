import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { Waiters } from '../app/ports.ts';
import { waitersKey } from './keys.ts';
import type { Table } from './table.ts';

/** One counter row per slot; a reader waits 25 s at most, so a slot's count bounds those that wait at once by two. */
const slotMs = 25_000;

export class WaiterStore implements Waiters {
  private readonly table: Table;
  private readonly cap: number;

  /** @param cap readers that may begin to wait within one slot */
  constructor(table: Table, cap: number) {
    this.table = table;
    this.cap = cap;
  }

  async enter(nowMs: number): Promise<boolean> {
    const slot = Math.floor(nowMs / slotMs);
    const answer = await this.table.client.send(
      new UpdateCommand({
        TableName: this.table.name,
        Key: waitersKey(slot),
        UpdateExpression: 'ADD waiting :one SET #ttl = :ttl',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: { ':one': 1, ':ttl': Math.floor(nowMs / 1000) + 3600 },
        ReturnValues: 'UPDATED_NEW',
      }),
    );
    return Number(answer.Attributes?.waiting ?? 1) <= this.cap;
  }
}
