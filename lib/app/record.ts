import type { RecordedEvent } from '../domain/event.ts';
import { retried } from './commit.ts';
import type { Deps } from './deps.ts';
import type { Nudge, StreamedEvents } from './ports.ts';

/** What one write of one row of an agent brought through the stream. */
export interface StreamedWrite extends StreamedEvents {
  tenant: string;
  agentId: string;
  /** A task that was just submitted. */
  isNewTask: boolean;
}

/** Gives the events of one agent their numbers, and tells dispatch of new work for an agent that is not running. */
export async function recordWrites(
  deps: Deps,
  tenant: string,
  agentId: string,
  writes: StreamedWrite[],
): Promise<RecordedEvent[]> {
  const told = writes.filter((write) => write.events.length > 0);
  // The nudge first: an event may wait for a repetition, work should not.
  if (writes.some((write) => write.isNewTask)) {
    const nudge = await nudgeForWork(deps, tenant, agentId);
    if (nudge) await deps.queues.nudge([nudge]);
  }
  return retried(() => deps.events.append(tenant, agentId, told, deps.now()));
}

async function nudgeForWork(deps: Deps, tenant: string, agentId: string): Promise<Nudge | undefined> {
  const agent = await deps.agents.get(tenant, agentId, { strong: true });
  // A shim that runs is told by its bell, one that starts claims by itself. Any other agent is looked at, a held one too:
  // its tasks may expire.
  const waits = agent && agent.status !== 'running' && agent.status !== 'starting';
  return waits ? { tenant, kind: 'agent', id: agentId } : undefined;
}
