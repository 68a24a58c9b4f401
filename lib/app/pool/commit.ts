import type { Pool, PoolDecision } from '../../domain/pool.ts';
import { type Cause, carry } from '../commit.ts';
import type { Deps } from '../deps.ts';

export async function commitPool(deps: Deps, before: Pool, decision: PoolDecision, by: Cause): Promise<Pool> {
  const { pool, events } = decision;
  await deps.pools.commit(before, pool, carry(deps, events, by));
  if (events.length > 0) {
    const { id: template, wanted, statusReason } = pool;
    deps.log.info('pool changed', { template, types: events.map((event) => event.type), wanted, statusReason });
  }
  return pool;
}
