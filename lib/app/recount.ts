import type { Fleet } from '../domain/fleet.ts';
import type { Deps } from './deps.ts';
import type { Runtime } from './ports.ts';

/** What is limited counts also what there was before the limit was set, or what came and went while it was off. */

const agentsPerPage = 100;
/** Pages of the list of agents that one look reads; the next look goes on from there. */
const pagesPerLook = 10;

/** Walks once through all agents, when their number has become limited: from then on each is counted as it comes. */
export async function countAgents(
  deps: Deps,
  tenant: string,
  { counted, cursors }: Pick<Fleet, 'counted' | 'cursors'>,
): Promise<{ counted: true | undefined; next: string | undefined }> {
  if (deps.config.maxAgents === undefined) return { counted: undefined, next: undefined };
  if (counted) return { counted, next: undefined };
  let next = cursors.agents;
  for (let page = 0; page < pagesPerLook; page++) {
    next = await deps.agents.recount(tenant, agentsPerPage, next);
    if (next === undefined) return { counted: true, next };
  }
  return { counted: undefined, next };
}

/** Gives a runtime that is seen running its place, beyond the limit too. */
export async function countRuntime(deps: Deps, { tenant, id, agentId, pool }: Runtime): Promise<void> {
  if (deps.config.maxRuntimes === undefined || (await deps.rooms.has(tenant, id))) return;
  const slot = { runtimeId: id, ...(agentId === undefined ? { pool } : { agentId }) };
  await deps.rooms.enter(tenant, slot, undefined);
  // It may have ended since it was seen, and given back the place that it did not have.
  const now = await deps.runtimes.get(tenant, id);
  if (!now || now.status === 'ended' || now.observed?.executionStopped) await deps.rooms.leave(tenant, id);
}
