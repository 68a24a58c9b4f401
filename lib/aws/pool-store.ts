import type { Pools } from '../app/ports.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { poolHead } from '../domain/head.ts';
import type { Pool } from '../domain/pool.ts';
import { dueEntry, headKey } from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';

export class PoolStore implements Pools {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, template: string, options: { strong: boolean }): Promise<Pool | undefined> {
    return toPool(await this.table.get(headKey(poolHead(tenant, template)), options.strong));
  }

  async create(pool: Pool): Promise<void> {
    await this.table.putNew({ ...headKey(poolHead(pool.tenant, pool.id)), ...row(pool) });
  }

  async commit(before: Pool, after: Pool, events: CarriedEvent[]): Promise<void> {
    const changes: Item = { ...difference(row(before), row(after)), events: events.length ? events : undefined };
    // Its due time may be lowered without a new version: a later one must not overwrite that unseen.
    const expected: Item = { version: before.version, ...('dueAt' in changes ? { dueAt: before.dueAtMs } : {}) };
    const done = await this.table.change(headKey(poolHead(before.tenant, before.id)), changes, expected);
    orConflict(done, `The pool of template ${before.id}`);
  }
}

function row(pool: Pool): Item {
  const { dueAtMs, ...rest } = pool;
  return { ...rest, ...dueEntry(pool.id, dueAtMs) };
}

/** A pool as its head row holds it. */
export function toPool(item: Item | undefined): Pool | undefined {
  if (!item) return undefined;
  const { pk: _pk, sk: _sk, duePk: _duePk, dueAt, events: _events, ...pool } = item;
  return { ...pool, ...(dueAt === undefined ? {} : { dueAtMs: Number(dueAt) }) } as unknown as Pool;
}
