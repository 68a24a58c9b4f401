import type { Deps } from './deps.ts';
import type { Observation } from './ports.ts';
import { leaveRoom } from './room/enter.ts';
import { ownerOf } from './runtime-owner.ts';

/**
 * Writes down what an ECS event says, unless something newer is known, and has the runtime's owner looked at when it is
 * dead. A shortcut: reconcile finds the same without any event.
 */
export async function observeTask(
  deps: Deps,
  { tenant, runtimeId }: { tenant: string; runtimeId: string },
  observation: Observation,
): Promise<void> {
  const runtime = await deps.runtimes.get(tenant, runtimeId);
  if (runtime && observation.executionStopped)
    await leaveRoom(deps, tenant, runtimeId, (room) => deps.queues.nudge([room]));
  if (!runtime) return;
  if (runtime.status === 'ended') {
    // One that said goodbye is expected to end. That it has is written down, so that nobody has to ask ECS, which answers
    // as many questions a second as it launches tasks (aws-facts 1.2).
    const isNews = observation.executionStopped && !runtime.observed?.executionStopped;
    if (isNews) await deps.runtimes.observe(tenant, runtimeId, observation);
    return;
  }
  const fresh = await deps.runtimes.observe(tenant, runtimeId, observation);
  const stopping = observation.executionStopped || observation.desiredStatus === 'STOPPED';
  if (fresh && stopping) await deps.queues.nudge([ownerOf(runtime)]);
}
