import { type Agent, type AgentDecision, holdReason } from './agent.ts';
import { decided, inStatus, requireStatus } from './agent-transition.ts';
import { goodBefore, keptOf } from './agent-workspace.ts';

/** Put away: it takes no work and never wakes. Of its workspace only the current generation stays. */
export function archive(agent: Agent, nowMs: number): AgentDecision {
  requireStatus(agent, 'archive', ['paused', 'error']);
  // Due at once: reconcile removes what is no longer kept.
  const change = { ...reduced(agent), wanted: undefined, notBeforeMs: undefined, dueAtMs: nowMs };
  return decided(agent, { ...change, ...inStatus('archived', nowMs, 'archived by request') }, nowMs, {
    type: 'agent.archived',
  });
}

/** Back from the archive, with a clean slate. Work that waits wakes it. */
export function restore(agent: Agent, nowMs: number): AgentDecision {
  requireStatus(agent, 'restore', ['archived']);
  const clean = { crashesMs: [], launchTries: 0, notBeforeMs: undefined };
  return decided(agent, { ...clean, ...inStatus('paused', nowMs, holdReason(agent)), dueAtMs: nowMs }, nowMs, {
    type: 'agent.restored',
  });
}

/** What an archived agent keeps: the current generation, or with a damaged one the last that is good. */
export function reduced(agent: Agent): Pick<Agent, 'generations' | 'damaged'> {
  const { workspace, damaged } = agent;
  if (!workspace) return keptOf(agent, 0);
  const good = damaged?.includes(workspace.generation) ? goodBefore(agent, workspace.generation)[0] : undefined;
  return keptOf(agent, 0, good);
}
