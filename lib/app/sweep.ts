import { createHash } from 'node:crypto';
import { newId } from '../domain/id.ts';
import type { Deps } from './deps.ts';

/** One sweep nudges this many heads of a shard; the rest is due still, a minute later. */
const perShard = 500;

/** Nudges all that is overdue. @returns how many were. */
export async function sweepDue(deps: Deps, shards: number): Promise<number> {
  const nowMs = deps.now();
  const counts = await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const due = await deps.due.due(shard, nowMs, perShard);
      await deps.queues.nudge(due);
      return due.length;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * Makes what CloudFormation can't: the secret of the runtime tokens, and the first admin key, of which the table holds
 * only the hash. Whoever finds them made does nothing.
 */
export async function ensureSecrets(deps: Deps): Promise<void> {
  const { adminKeyParameter, tokenKeyParameter } = deps.config;
  await deps.parameters.create(tokenKeyParameter, Buffer.from(deps.random(32)).toString('base64'));
  const fresh = `rouse_${Buffer.from(deps.random(30)).toString('base64url')}`;
  const created = await deps.parameters.create(adminKeyParameter, fresh);
  const key = created ? fresh : await deps.parameters.get(adminKeyParameter);
  if (key === undefined) throw new Error(`The parameter ${adminKeyParameter} exists and can't be read.`);
  const id = newId('key', deps.now(), deps.random);
  await deps.apiKeys.put(hashKey(key), { id, tenant: 'default', name: 'first admin key', role: 'admin' });
  if (created) deps.log.info('first admin key created', { parameter: adminKeyParameter });
}

/** Keys are random, so a plain hash hides them. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
