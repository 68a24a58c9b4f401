import type { Agent } from '../domain/agent.ts';
import type { Deps } from './deps.ts';

/** Of tasks that run beside each other, the youngest need not be the last to finish. */
const latestTasks = 3;

/** When an agent that holds no task was last active: its last task, its activity leases, or the start of its runtime. */
export async function lastActiveMs(deps: Deps, agent: Agent): Promise<number> {
  const { items } = await deps.tasks.pageOfAgent(agent.tenant, agent.id, latestTasks, undefined);
  const finishedMs = items.map((task) => task.finishedMs ?? 0);
  return Math.max(agent.runtimeSinceMs ?? 0, agent.activeUntilMs ?? 0, ...finishedMs);
}
