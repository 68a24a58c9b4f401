import type { Agent } from '../domain/agent.ts';
import { type LiveTask, wakesNobody } from '../domain/task.ts';
import type { Deps } from './deps.ts';
import type { KnownTask } from './tasks.ts';

/** A queued task says why it waits, where the reason is its agent. */
export async function withReason(deps: Deps, known: KnownTask): Promise<KnownTask> {
  const { live } = known;
  if (live?.status !== 'queued') return known;
  const agent = await deps.agents.get(live.tenant, live.agentId, { strong: false });
  const statusReason = agent && (reasonOf(agent) ?? reasonToSleep(agent, live));
  return statusReason ? { ...known, live: { ...live, statusReason } } : known;
}

function reasonToSleep({ status }: Agent, task: LiveTask): string | undefined {
  return status === 'paused' && wakesNobody(task) ? 'it wakes nobody: its agent takes it when it next runs' : undefined;
}

function reasonOf({ status, statusReason, held, heldReason, copy }: Agent): string | undefined {
  if (status === 'archived') return 'its agent is archived; restored, it goes on';
  if (status === 'error') return `its agent is in error: ${statusReason}; recovered, it goes on`;
  if (held && heldReason) return `its agent is held: ${heldReason}`;
  if (held) return 'its agent is held; resumed, it goes on';
  return copy ? `its agent has no files yet: ${statusReason}` : undefined;
}
