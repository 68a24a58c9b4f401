import type { Deps } from './deps.ts';
import type { Observation } from './ports.ts';

export interface TaskOwner {
  tenant: string;
  agentId: string;
  runtimeId: string;
}

/**
 * Writes down what an ECS event says, unless something newer is known, and has the agent looked at when its runtime is
 * dead. A shortcut: reconcile finds the same without any event.
 */
export async function observeTask(deps: Deps, owner: TaskOwner, observation: Observation): Promise<void> {
  const { tenant, agentId, runtimeId } = owner;
  const runtime = await deps.runtimes.get(tenant, runtimeId);
  // One that said goodbye is expected to end.
  if (!runtime || runtime.status === 'ended') return;
  const fresh = await deps.runtimes.observe(tenant, runtimeId, observation);
  const stopping = observation.executionStopped || observation.desiredStatus === 'STOPPED';
  if (fresh && stopping) await deps.queues.nudge([{ tenant, kind: 'agent', id: agentId }]);
}
