import { isId } from '../domain/id.ts';
import type { Deps } from './deps.ts';

/** How long after its failures an agent is looked at again. */
const againMs = 60_000;

/**
 * What failed too often makes its agent due again, so that a bad moment never lasts for ever and never blocks a queue.
 * Messages that name no agent of ours are dropped, with their text in the log. @returns how many there were
 */
export async function redriveDeadLetters(deps: Deps): Promise<number> {
  let count = 0;
  for await (const { body, remove } of deps.queues.deadLetters()) {
    const agent = agentOf(body);
    if (agent) await deps.agents.lowerDue(agent.tenant, agent.agentId, deps.now() + againMs);
    deps.log.warn(agent ? 'agent made due again after failures' : 'dead letter dropped', { ...agent, body });
    await remove();
    count += 1;
  }
  return count;
}

/** A nudge names its agent as `id`, a launch as `agentId`. */
function agentOf(body: string): { tenant: string; agentId: string } | undefined {
  try {
    const { tenant, id, agentId = id } = JSON.parse(body) as Record<string, unknown>;
    const known = typeof tenant === 'string' && typeof agentId === 'string' && isId('agent', agentId);
    return known ? { tenant, agentId } : undefined;
  } catch {
    return undefined;
  }
}
