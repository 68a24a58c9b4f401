import { rearm } from '../../domain/agent-transition.ts';
import { pruneGenerations } from '../prune-generations.ts';
import type { Sight, Step } from './step.ts';

/** An archived agent starts nothing: what it no longer keeps is removed, and what waits too long expires. */
export async function stepArchived({ deps, agent, queue, nowMs }: Sight): Promise<Step> {
  const more = await pruneGenerations(deps, agent);
  const decision = rearm(agent, { dueAtMs: more ? nowMs + 1000 : queue.expiryMs });
  return decision.agent.dueAtMs === agent.dueAtMs ? {} : { decision };
}
