import { agentHead, type HeadRef, poolHead } from '../domain/head.ts';
import type { Deps } from './deps.ts';
import type { Runtime } from './ports.ts';

/** Who looks after a runtime: its agent, or the pool that it waits in. */
export function ownerOf({ tenant, id, agentId, pool }: Runtime): HeadRef {
  if (agentId !== undefined) return agentHead(tenant, agentId);
  if (pool !== undefined) return poolHead(tenant, pool);
  throw new Error(`The runtime ${id} is neither an agent's nor a pool's.`);
}

/** Whether a runtime is in a head that looks after it: as the one that is wanted, or as one that is let go of. */
export async function isMinded(deps: Deps, { tenant, id, agentId, pool: template }: Runtime): Promise<boolean> {
  const isIt = (one: { id: string }) => one.id === id;
  const agent = agentId === undefined ? undefined : await deps.agents.get(tenant, agentId, { strong: true });
  if (agent?.runtimeId === id || agent?.retired.some(isIt)) return true;
  // One that was just taken over is in its pool's head until it is in the agent's.
  const pool = template === undefined ? undefined : await deps.pools.get(tenant, template, { strong: true });
  return (pool?.standbys.some(isIt) || pool?.retired.some(isIt)) ?? false;
}
