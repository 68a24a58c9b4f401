import { rearm } from '../../domain/agent-transition.ts';
import { agentObjects } from '../../domain/object-key.ts';
import type { Sight, Step } from './step.ts';

/** One look removes this many pages of a thousand objects. */
const pagesPerLook = 5;
/** A runtime's credentials live an hour: after this nobody can write anything for the agent any more. */
const lastWriteMs = 65 * 60_000;

/** A terminated agent's tasks are ended by the look at its queue; here what it stored goes. */
export async function stepTerminated(sight: Sight): Promise<Step> {
  const { deps, agent, queue, nowMs } = sight;
  if (agent.dueAtMs === undefined) return {};
  await deps.agents.uncount(agent.tenant, agent.id);
  // Forks still copy from it; they tell when they are done.
  if (agent.pins?.length) return { decision: rearm(agent, { dueAtMs: undefined }) };
  let pages = 0;
  for await (const keys of deps.objects.list(agentObjects(agent.tenant, agent.id))) {
    await deps.objects.delete(keys);
    if (++pages >= pagesPerLook) return { decision: rearm(agent, { dueAtMs: nowMs + 1000 }) };
  }
  await deps.generations.deleteAll(agent.tenant, agent.id);
  await deps.templates.removeUser(agent.tenant, agent.template, agent.id);
  // What was on its way when it ended is removed by a last look.
  const lastLookMs = agent.statusSinceMs + lastWriteMs;
  const hasTasks = queue.any || queue.nextMs !== undefined;
  const dueAtMs = hasTasks ? nowMs + 60_000 : nowMs < lastLookMs ? lastLookMs : undefined;
  const decision = rearm(agent, { dueAtMs });
  return decision.agent.dueAtMs === agent.dueAtMs ? {} : { decision };
}
