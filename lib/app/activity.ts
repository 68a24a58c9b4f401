import type { Agent } from '../domain/agent.ts';
import { keepActive } from '../domain/agent-activity.ts';
import { isHeld } from '../domain/task.ts';
import { enrolledAgent, type RuntimeIdentity } from './claim.ts';
import { type Cause, changeAgent } from './commit.ts';
import type { Deps } from './deps.ts';

/** Takes an activity lease: its agent does not pause for being idle before it has ended. It wakes nobody. */
export function leaseActivity(deps: Deps, tenant: string, agentId: string, seconds: number, by: Cause): Promise<Agent> {
  return changeAgent(deps, tenant, agentId, by, async (agent) =>
    keepActive(agent, seconds, await isBusy(deps, agent), deps.now()),
  );
}

/** The same for a driver, through its shim. @returns when its leases end, in milliseconds since the epoch */
export async function leaseByRuntime(deps: Deps, me: RuntimeIdentity, seconds: number, by: Cause): Promise<number> {
  const agent = await enrolledAgent(deps, me);
  // It has been told to stop: there is no idling to be kept from.
  if (agent.status === 'stopping') return agent.activeUntilMs ?? deps.now();
  const after = await leaseActivity(deps, me.tenant, me.agentId, seconds, by);
  return after.activeUntilMs ?? deps.now();
}

/** What a runtime holds stands near the front of the queue, where it was claimed. */
async function isBusy(deps: Deps, agent: Agent): Promise<boolean> {
  for await (const tasks of deps.tasks.queue(agent.tenant, agent.id, 100)) return tasks.some(isHeld);
  return false;
}
