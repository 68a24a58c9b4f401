import type { Agent, AgentDecision } from './agent.ts';
import { decided, requireStatus } from './agent-transition.ts';

/** One lease ends after this long at the latest. */
export const longestLeaseMs = 3_600_000;
/** Leases in a row, with no task between them, end after this long: a leaked one keeps no agent alive for ever. */
export const longestActivityMs = 4 * 3_600_000;

/**
 * Keeps an agent from idling until `seconds` from now, or as long as the limits allow. A lease is only ever extended,
 * and wakes nobody. `busy`: a task runs, so the leases before it don't count against this one.
 */
export function keepActive(agent: Agent, seconds: number, busy: boolean, nowMs: number): AgentDecision {
  requireStatus(agent, 'be kept active', ['starting', 'running']);
  const sinceMs = busy ? nowMs : (agent.activeSinceMs ?? nowMs);
  const untilMs = Math.min(nowMs + Math.min(seconds * 1000, longestLeaseMs), sinceMs + longestActivityMs);
  if (untilMs <= (agent.activeUntilMs ?? nowMs)) return { agent, events: [] };
  const until = new Date(untilMs).toISOString();
  const change = { activeUntilMs: untilMs, activeSinceMs: sinceMs };
  return decided(agent, change, nowMs, { type: 'agent.kept_active', data: { until } });
}
