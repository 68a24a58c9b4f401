import { type Agent, type AgentDecision, type Copy, holdReason, type Workspace } from './agent.ts';
import { toError } from './agent-failure.ts';
import { decided, inStatus, rearm, requireStatus } from './agent-transition.ts';

/** At most so many copies of one agent's generations are under way at once. */
export const mostPins = 10;
/** A fork that does not exist this long after its pin was never made: its request was cut off. */
export const pinCheckMs = 900_000;

/** Keeps a generation until it has been copied to `forkId`. Repeated, it is kept for longer. */
export function pin(agent: Agent, forkId: string, generation: number, nowMs: number): AgentDecision {
  requireStatus(agent, 'be forked', ['paused', 'starting', 'running', 'stopping', 'archived', 'error']);
  const others = (agent.pins ?? []).filter((other) => other.forkId !== forkId);
  const pins = [...others, { forkId, generation, checkMs: nowMs + pinCheckMs }];
  if (others.length < (agent.pins?.length ?? 0)) return rearm(agent, { pins });
  return decided(agent, { pins }, nowMs, { type: 'agent.forked', data: { forkId, generation } });
}

/** What has been copied of the workspace so far. */
export function copyOn(agent: Agent, copy: Copy, of: number, nowMs: number): AgentDecision {
  const from = agent.forkOf;
  const statusReason = `its workspace is being copied from ${from?.agentId} (generation ${from?.generation}, ${copy.packs} of ${of} packs)`;
  return rearm(agent, { copy, statusReason, dueAtMs: nowMs });
}

/** The workspace is all there: from now on it is an agent like any other. */
export function copied(agent: Agent, workspace: Workspace, nowMs: number): AgentDecision {
  requireStatus(agent, 'have its workspace', ['paused']);
  const { generation, bytes, files } = workspace;
  const change = { copy: undefined, workspace, generations: [generation], lastGeneration: generation };
  return decided(agent, { ...change, ...inStatus('paused', nowMs, holdReason(agent)), dueAtMs: nowMs }, nowMs, {
    type: 'agent.workspace_copied',
    data: { from: agent.forkOf, generation, bytes, files },
  });
}

/** What was to be copied is not there, or not what it was. `recover` tries again. */
export function copyFailed(agent: Agent, reason: string, nowMs: number): AgentDecision {
  requireStatus(agent, 'fail to copy', ['paused']);
  const from = agent.forkOf;
  return toError(agent, `its workspace could not be copied from ${from?.agentId}: ${reason}`, nowMs);
}
