import type { Agent } from '../../domain/agent.ts';
import { shardOf } from '../../domain/id.ts';
import type { Deps } from '../deps.ts';
import type { Runtime } from '../ports.ts';
import { launchAlike } from './launch-parameters.ts';

/** So many standbys are tried: when as many agents wake at the same moment, a cold start costs less than a long search. */
const tries = 8;

/**
 * Reserves a standby of its template's pool for a waking agent, or finds none. Exactly one agent gets each: whoever
 * writes its name into the standby's row first. What an agent reserves and then does not have in its head, its pool stops.
 */
export async function takeStandby(deps: Deps, agent: Agent, nowMs: number): Promise<Runtime | undefined> {
  // Which standbys there are may be old news: their rows decide.
  const pool = await deps.pools.get(agent.tenant, agent.template, { strong: false });
  const ready = pool?.standbys.filter((standby) => standby.ready) ?? [];
  if (ready.length === 0) return undefined;
  const fitting = new Set<number>();
  const own = await deps.templates.get(agent.tenant, agent.template, agent.templateVersion);
  for (const version of new Set(ready.map(({ templateVersion }) => templateVersion))) {
    const other = await deps.templates.get(agent.tenant, agent.template, version);
    if (own && other && launchAlike(own, other)) fitting.add(version);
  }
  const candidates = ready.filter(({ templateVersion }) => fitting.has(templateVersion));
  // Agents that wake together begin at different ones.
  const first = shardOf(agent.id, Math.max(1, candidates.length));
  const { id: agentId, templateVersion, overrides } = agent;
  for (const { id } of [...candidates.slice(first), ...candidates.slice(0, first)].slice(0, tries)) {
    const taken = await deps.runtimes.takeOver(agent.tenant, id, { agentId, templateVersion, overrides, nowMs });
    if (taken) return taken;
  }
  return undefined;
}
