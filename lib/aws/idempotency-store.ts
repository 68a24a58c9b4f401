import { createHash } from 'node:crypto';
import { RouseError } from '../domain/errors.ts';
import { newUlid, type RandomBytes } from '../domain/id.ts';
import type { Idempotency, IdempotentAnswer, IdempotentRequest } from '../http/router.ts';
import { idempotencyKey } from './keys.ts';
import type { Table } from './table.ts';

const keptSeconds = 86_400;

/**
 * Remembers the answers of POSTs for 24 hours. The row is written before anything else and holds the ULID that ids are
 * made from, so that a replay names the same things and resumes what a crash cut off.
 */
export class IdempotencyStore implements Idempotency {
  private readonly table: Table;
  private readonly random: RandomBytes;

  constructor(table: Table, random: RandomBytes) {
    this.table = table;
    this.random = random;
  }

  async run(
    request: IdempotentRequest,
    perform: (seed: string) => Promise<IdempotentAnswer>,
  ): Promise<IdempotentAnswer & { replayed: boolean }> {
    const { principal, route, key, bodyHash, nowMs } = request;
    const hash = createHash('sha256').update(`${principal.id}\n${route}\n${key}`).digest('hex');
    const row = idempotencyKey(principal.tenant, hash);
    const seed = newUlid(nowMs, this.random);
    const ttl = Math.floor(nowMs / 1000) + keptSeconds;
    const first = await this.table.put(
      { ...row, bodyHash, seed, ttl },
      {
        // DynamoDB removes expired rows when it likes; until then they count as gone.
        ConditionExpression: 'attribute_not_exists(pk) OR #ttl < :now',
        ExpressionAttributeNames: { '#ttl': 'ttl' },
        ExpressionAttributeValues: { ':now': Math.floor(nowMs / 1000) },
      },
    );
    const known = first ? { bodyHash, seed } : await this.table.get(row, true);
    if (known && known.bodyHash !== bodyHash) {
      const detail = `The Idempotency-Key "${key}" was used with another body in the last 24 hours. Use a new key for a new request.`;
      throw new RouseError('idempotency_conflict', detail);
    }
    const answer = (known as { answer?: string } | undefined)?.answer;
    if (answer !== undefined) return { ...(JSON.parse(answer) as IdempotentAnswer), replayed: true };
    const performed = await perform(String(known?.seed ?? seed));
    // As text: an answer holds what users say, and DynamoDB's own types hold less than JSON does.
    await this.table.change(row, { answer: JSON.stringify(performed) }, { bodyHash });
    return { ...performed, replayed: false };
  }
}
