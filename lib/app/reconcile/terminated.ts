import { rearm } from '../../domain/agent-transition.ts';
import { agentObjects } from '../../domain/object-key.ts';
import type { Sight, Step } from './step.ts';

/** One look removes this many pages of a thousand objects. */
const pagesPerLook = 5;

/** A terminated agent's tasks are ended by the look at its queue; here what it stored goes. */
export async function stepTerminated(sight: Sight): Promise<Step> {
  const { deps, agent, queue, nowMs } = sight;
  if (agent.dueAtMs === undefined) return {};
  let pages = 0;
  for await (const keys of deps.objects.list(agentObjects(agent.tenant, agent.id))) {
    await deps.objects.delete(keys);
    if (++pages >= pagesPerLook) return { decision: rearm(agent, { dueAtMs: nowMs + 1000 }) };
  }
  await deps.generations.deleteAll(agent.tenant, agent.id);
  await deps.templates.removeUser(agent.tenant, agent.template, agent.id);
  const dueAtMs = queue.any || queue.nextMs !== undefined ? nowMs + 60_000 : undefined;
  const decision = rearm(agent, { dueAtMs });
  return decision.agent.dueAtMs === agent.dueAtMs ? {} : { decision };
}
