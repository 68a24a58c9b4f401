import type { RecordedEvent } from '../domain/event.ts';
import { agentHead, type HeadRef } from '../domain/head.ts';
import { retried } from './commit.ts';
import type { Deps } from './deps.ts';
import { type Ending, tellParents } from './parent.ts';
import type { Nudge, StreamedEvents } from './ports.ts';

/** What one write of one row of a head's partition brought through the stream. */
export interface StreamedWrite extends StreamedEvents {
  head: HeadRef;
  /** A task that was just submitted. */
  isNewTask: boolean;
  /** A task or run that has just ended, and whose parent waits for that. */
  ending?: Ending | undefined;
}

/**
 * Gives the events of one head their numbers, tells dispatch of new work for an agent that is not running, and parents
 * of what has ended.
 */
export async function recordWrites(deps: Deps, head: HeadRef, writes: StreamedWrite[]): Promise<RecordedEvent[]> {
  const told = writes.filter((write) => write.events.length > 0);
  // The nudges first: an event may wait for a repetition, work should not.
  if (writes.some((write) => write.isNewTask)) {
    const nudge = await nudgeForWork(deps, head.tenant, head.id);
    if (nudge) await deps.queues.nudge([nudge]);
  }
  const endings = writes.flatMap(({ ending }) => ending ?? []);
  if (endings.length > 0) await tellParents(deps, endings);
  return retried(() => deps.events.append(head, told, deps.now()));
}

async function nudgeForWork(deps: Deps, tenant: string, agentId: string): Promise<Nudge | undefined> {
  const agent = await deps.agents.get(tenant, agentId, { strong: true });
  // A shim that runs is told by its bell, one that starts claims by itself. Any other agent is looked at, a held one too:
  // its tasks may expire.
  const waits = agent && agent.status !== 'running' && agent.status !== 'starting';
  return waits ? agentHead(tenant, agentId) : undefined;
}
