import { type Agent, type AgentDecision, holdReason } from './agent.ts';
import { crashLimit, recentCrashes, toError } from './agent-failure.ts';
import { terminated } from './agent-life.ts';
import { decided, inStatus, lookAfterMs, requireStatus, retire, withoutRuntime } from './agent-transition.ts';

/** A runtime that said goodbye is checked for having ended. */
export const retiredCheckMs = 180_000;

/** Wanted: no runtime. With `force`, what runs is handed back; without, it is waited for. */
export function beginStop(
  agent: Agent,
  goal: 'paused' | 'terminated',
  force: boolean,
  reason: string,
  nowMs: number,
): AgentDecision {
  requireStatus(agent, 'stop', ['running', 'stopping']);
  const kept = agent.goal === 'terminated' ? 'terminated' : goal;
  return decided(
    agent,
    {
      ...(agent.status === 'stopping' ? {} : inStatus('stopping', nowMs, reason)),
      statusReason: reason,
      goal: kept,
      forced: agent.forced || force,
      wanted: undefined,
      dueAtMs: nowMs + lookAfterMs,
    },
    nowMs,
    { type: 'agent.stopping', data: { runtimeId: agent.runtimeId, reason, goal: kept } },
  );
}

/** Work came while it was about to pause, or it was resumed: it goes on. */
export function goOn(agent: Agent, reason: string, nowMs: number): AgentDecision {
  requireStatus(agent, 'go on', ['stopping']);
  return decided(
    agent,
    { ...inStatus('running', nowMs), goal: undefined, forced: undefined, dueAtMs: nowMs + lookAfterMs },
    nowMs,
    { type: 'agent.running', data: { runtimeId: agent.runtimeId, reason } },
  );
}

/** It has stopped: by its own goodbye (`dead: false`, still to be checked), or because it is known to be dead. */
export function stopped(agent: Agent, proof: string, dead: boolean, nowMs: number): AgentDecision {
  requireStatus(agent, 'have stopped', ['stopping']);
  // It has said goodbye, and is given time to end by itself.
  const retired = dead ? agent.retired : retire(agent, nowMs + retiredCheckMs);
  const change = { ...withoutRuntime, retired, dueAtMs: agent.wanted ? nowMs : undefined };
  if (agent.goal === 'terminated') return terminated({ ...agent, ...change }, nowMs);
  return decided(
    agent,
    { ...change, ...inStatus('paused', nowMs, holdReason(agent) ?? agent.statusReason), idleSinceMs: nowMs },
    nowMs,
    {
      type: 'agent.paused',
      data: { runtimeId: agent.runtimeId, reason: agent.statusReason, proof },
    },
  );
}

/** What else is known of a death. `ofCloud`: the cloud took its capacity back, so it is no crash. */
export interface Death {
  ofCloud?: boolean;
  /** Tasks that it ran, which go back to the queue. */
  taskIds?: readonly string[];
}

/** A runtime that enrolled is dead, and never said goodbye. `proof` says how that is known. */
export function runtimeLost(agent: Agent, proof: string, nowMs: number, death: Death = {}): AgentDecision {
  requireStatus(agent, 'lose its runtime', ['running', 'stopping']);
  if (agent.status === 'stopping') return stopped(agent, proof, true, nowMs);
  const crashesMs = [...recentCrashes(agent, nowMs), ...(death.ofCloud ? [] : [nowMs])];
  const { taskIds = [] } = death;
  const data = { runtimeId: agent.runtimeId, proof, ...(taskIds.length > 0 ? { taskIds } : {}) };
  if (crashesMs.length >= crashLimit)
    return toError(
      { ...agent, crashesMs },
      `its runtimes crashed ${crashLimit} times in ten minutes, the last one: ${proof}`,
      nowMs,
    );
  // The first crash is replaced at once: what a task loses by waiting is certain, a crash loop is not.
  const delayMs = crashesMs.length <= 1 ? 0 : Math.min(1000 * 2 ** (crashesMs.length - 2), 60_000);
  return decided(
    agent,
    {
      ...inStatus('paused', nowMs, `its runtime was lost: ${proof}`),
      ...withoutRuntime,
      crashesMs,
      notBeforeMs: nowMs + delayMs,
      dueAtMs: nowMs + delayMs,
    },
    nowMs,
    { type: 'agent.runtime_lost', data },
  );
}
