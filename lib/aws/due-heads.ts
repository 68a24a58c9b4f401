import { QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { DueHeads } from '../app/ports.ts';
import { type HeadRef, headRefOf } from '../domain/head.ts';
import { dueEntry, duePartition, headKey, kindOfPartition } from './keys.ts';
import { type Table, whether } from './table.ts';

/** The sparse index of everything that has to be looked at some time. */
export class DueHeadStore implements DueHeads {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async due(shard: number, nowMs: number, limit: number): Promise<HeadRef[]> {
    const answer = await this.table.client.send(
      new QueryCommand({
        TableName: this.table.name,
        IndexName: 'due',
        KeyConditionExpression: 'duePk = :pk AND dueAt <= :now',
        ExpressionAttributeValues: { ':pk': duePartition(shard), ':now': nowMs },
        Limit: limit,
      }),
    );
    const heads = await this.table.getAll(
      (answer.Items ?? []).map((item) => ({ pk: String(item.pk), sk: String(item.sk) })),
    );
    return heads.flatMap((item) => headRefOf({ ...item, kind: kindOfPartition(String(item.pk)) }) ?? []);
  }

  async lower(head: HeadRef, dueAtMs: number): Promise<void> {
    const { duePk, dueAt } = dueEntry(head.id, dueAtMs);
    await whether(
      this.table.client.send(
        new UpdateCommand({
          TableName: this.table.name,
          Key: headKey(head),
          UpdateExpression: 'SET duePk = :pk, dueAt = :at',
          ConditionExpression: 'attribute_exists(pk) AND (attribute_not_exists(dueAt) OR dueAt > :at)',
          ExpressionAttributeValues: { ':pk': duePk, ':at': dueAt },
        }),
      ),
    );
  }
}
