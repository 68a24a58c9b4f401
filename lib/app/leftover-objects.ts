import { agentObjects, allAgentObjects, runtimeObjects } from '../domain/object-key.ts';
import type { Deps } from './deps.ts';
import { inParallel } from './in-parallel.ts';

/** What is younger may still become part of a generation: no save takes a day. */
const settledMs = 24 * 3_600_000;
/** Agents that are looked at beside each other: a page may name hundreds, and dispatch has ten seconds. */
const parallel = 20;

/**
 * Removes what lies among the files of agents and belongs to no generation: packs of saves that were cut off, and what
 * came after the end of an agent. One page of the bucket's list at a time.
 *
 * Nothing that counts is removed. Only the runtime that an agent has may commit what it has written, and what is under
 * its name is left alone, as is a fork that is still being copied. All else that counts is named by a generation's row,
 * and rows are read, oldest first, after the head: a newer one is made of new packs and of those that older rows name.
 *
 * @returns what was removed, and where the next look goes on
 */
export async function removeLeftovers(
  deps: Deps,
  tenant: string,
  cursor: string | undefined,
): Promise<{ removed: string[]; next: string | undefined }> {
  const page = await deps.objects.page(allAgentObjects(tenant), cursor);
  const oldMs = deps.now() - settledMs;
  const old = page.items.filter(({ changedMs }) => changedMs < oldMs).map(({ key }) => key);
  const byAgent = [...Map.groupBy(old, (key) => key.split('/')[2] ?? '')];
  const found = await inParallel(byAgent, parallel, ([agentId, keys]) => leftoversOf(deps, tenant, agentId, keys));
  const removed = found.flat();
  await deps.objects.delete(removed);
  return { removed, next: page.next };
}

async function leftoversOf(deps: Deps, tenant: string, agentId: string, keys: string[]): Promise<string[]> {
  const agent = await deps.agents.get(tenant, agentId, { strong: true });
  // Of an agent that is not known nobody can say what counts.
  if (!agent || agent.copy || agent.pins?.length) return [];
  const own = keys.filter((key) => key.startsWith(agentObjects(tenant, agentId)));
  if (agent.status === 'terminated') return own;
  const present = agent.runtimeId === undefined ? undefined : runtimeObjects(tenant, agentId, agent.runtimeId);
  const rows = await deps.generations.all(tenant, agentId);
  const named = new Set(rows.flatMap(({ manifestKey, packs }) => [manifestKey, ...packs]));
  return own.filter((key) => !named.has(key) && !(present && key.startsWith(present)));
}
