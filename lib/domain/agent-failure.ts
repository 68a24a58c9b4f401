import type { Agent, AgentDecision } from './agent.ts';
import { decided, inStatus, requireStatus, retire, withoutRuntime } from './agent-transition.ts';

export const crashWindowMs = 600_000;

export const crashLimit = 5;

/** It can't go on by itself: its runtime said so when it left. */
export function fail(agent: Agent, reason: string, nowMs: number): AgentDecision {
  requireStatus(agent, 'fail', ['stopping']);
  return toError({ ...agent, retired: retire(agent, nowMs) }, reason, nowMs);
}

/** Out of `error`, with a clean slate. */
export function recover(agent: Agent, nowMs: number): AgentDecision {
  requireStatus(agent, 'recover', ['error']);
  return decided(
    agent,
    { ...inStatus('paused', nowMs), crashesMs: [], launchTries: 0, notBeforeMs: undefined, dueAtMs: nowMs },
    nowMs,
    { type: 'agent.recovered' },
  );
}

export function toError(agent: Agent, reason: string, nowMs: number): AgentDecision {
  return decided(agent, { ...inStatus('error', nowMs, reason), ...withoutRuntime, dueAtMs: undefined }, nowMs, {
    type: 'agent.failed',
    data: { runtimeId: agent.runtimeId, reason },
  });
}

export function recentCrashes(agent: Agent, nowMs: number): number[] {
  return agent.crashesMs.filter((timeMs) => timeMs > nowMs - crashWindowMs);
}
