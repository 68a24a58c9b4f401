import { stopped } from '../../domain/agent-stop.ts';
import { rearm } from '../../domain/agent-transition.ts';
import { leaseSlackMs } from '../claim.ts';
import { cancelDeadlineMs } from '../tasks.ts';
import { knownDeath, probe } from './probe.ts';
import type { Sight, Step } from './step.ts';

/** What a shim needs besides its stop time: to hear of it, and to say goodbye. */
const marginMs = 60_000;
const againMs = 30_000;
/** The longest grace that a template gives a cancelled task. */
const longestGraceSeconds = 60;

/** A stop is under way. The shim says goodbye, or ECS stops its task, and says when it is dead. */
export async function stepStopping(sight: Sight): Promise<Step> {
  const { deps, agent, runtime, queue, nowMs } = sight;
  const death = knownDeath(runtime);
  if (death || !runtime) return dead(sight, death ?? 'its runtime row is gone');
  // Without force, tasks that run are waited for as long as they keep their leases.
  const waitsForTasks =
    !agent.forced &&
    queue.held.some((task) => task.leaseUntilMs + leaseSlackMs > nowMs) &&
    // A cancel is not waited for longer than on a running agent.
    !queue.held.some(
      (task) => task.status === 'cancelling' && nowMs >= cancelDeadlineMs(task.cancelRequestedMs, longestGraceSeconds),
    );
  const patienceMs = runtime.stopTimeoutSeconds * 1000 + marginMs;
  if (waitsForTasks || nowMs < agent.statusSinceMs + patienceMs) {
    const dueAtMs = waitsForTasks ? nowMs + patienceMs : agent.statusSinceMs + patienceMs;
    return agent.dueAtMs !== undefined && agent.dueAtMs > nowMs && agent.dueAtMs <= dueAtMs
      ? {}
      : { decision: rearm(agent, { dueAtMs }) };
  }
  const found = await probe(deps, runtime);
  if (found.state === 'dead') return dead(sight, found.proof);
  const reason = `Rouse: ${agent.statusReason ?? 'stop requested'}`;
  return {
    decision: rearm(agent, { dueAtMs: nowMs + againMs }),
    effects: found.taskArn ? [{ type: 'stop_task', taskArn: found.taskArn, reason }] : [],
  };
}

function dead({ agent, runtime, nowMs }: Sight, proof: string): Step {
  return {
    decision: stopped(agent, proof, true, nowMs),
    cleanups: runtime
      ? [
          { type: 'end_runtime', runtimeId: runtime.id },
          { type: 'delete_bell', runtimeId: runtime.id },
        ]
      : [],
    again: true,
  };
}
