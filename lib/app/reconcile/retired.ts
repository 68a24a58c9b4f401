import type { Agent, RetiredRuntime } from '../../domain/agent.ts';
import { rearm } from '../../domain/agent-transition.ts';
import type { Deps } from '../deps.ts';
import { probe } from './probe.ts';
import type { Effect, Step } from './step.ts';

/** One look deals with this many. */
const batch = 5;
const againMs = 60_000;

/**
 * Runtimes that an agent has let go of: forgotten only when they are known to be dead. One that said goodbye is given
 * time to end by itself; any other is stopped.
 */
export async function stepRetired(deps: Deps, agent: Agent, nowMs: number): Promise<Step | undefined> {
  const look = await lookAtRetired(deps, agent.tenant, agent.retired, 'its agent has let it go', nowMs);
  if (!look) return undefined;
  const { retired, cleanups } = look;
  const dueAtMs = agent.dueAtMs !== undefined && agent.dueAtMs <= nowMs ? undefined : agent.dueAtMs;
  const decision = rearm(agent, { retired, dueAtMs: agent.status === 'paused' ? dueAtMs : agent.dueAtMs });
  return { decision, cleanups };
}

/** Looks at those that are due. @returns those that are left, and what to do; undefined when none is due */
export async function lookAtRetired(
  deps: Deps,
  tenant: string,
  retired: readonly RetiredRuntime[],
  why: string,
  nowMs: number,
): Promise<{ retired: RetiredRuntime[]; cleanups: Effect[] } | undefined> {
  const due = retired.filter((runtime) => runtime.checkMs <= nowMs).slice(0, batch);
  if (due.length === 0) return undefined;
  const dead = new Set<string>();
  const cleanups: Effect[] = [];
  for (const { id } of due) {
    const runtime = await deps.runtimes.get(tenant, id);
    const found = runtime ? await probe(deps, runtime) : ({ state: 'dead', proof: 'its row is gone' } as const);
    if (found.state === 'dead') {
      dead.add(id);
      cleanups.push({ type: 'end_runtime', runtimeId: id }, { type: 'delete_bell', runtimeId: id });
      // What ECS does not say of one is asked again: when it is asked too much, stopping tasks as well would be more of it.
    } else if (found.state === 'alive')
      cleanups.push({ type: 'stop_task', taskArn: found.taskArn, reason: `Rouse: ${why}` });
  }
  const looked = new Set(due.map((runtime) => runtime.id));
  const left = retired
    .filter((runtime) => !dead.has(runtime.id))
    .map((runtime) => (looked.has(runtime.id) ? { ...runtime, checkMs: nowMs + againMs } : runtime));
  return { retired: left, cleanups };
}
