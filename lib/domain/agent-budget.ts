import type { Agent, AgentDecision } from './agent.ts';
import { hold } from './agent-life.ts';
import { beginStop } from './agent-stop.ts';
import { type Amounts, amountsOf, type Budget, isExceeded, isUsedUp, usedOf } from './budget.ts';
import type { Usage } from './cost.ts';

/** What the ended attempts of an agent have used since it has a budget. */
export function usedBy({ usedTokens = 0, usedCostUsd = 0 }: Agent): Amounts {
  return { tokens: usedTokens, costUsd: usedCostUsd };
}

/** The agent as it is when one more attempt is counted. */
export function withUsage(agent: Agent, usage: Partial<Usage>): Agent {
  const { tokens, costUsd } = plus(usedBy(agent), amountsOf(usage));
  return { ...agent, usedTokens: tokens, usedCostUsd: costUsd };
}

/**
 * Why it may not begin anything any more, and what helps; undefined while it may.
 *
 * @param running what its attempts have used that go on
 */
export function whySpent(
  agent: Agent,
  budget: Budget | undefined,
  running: readonly Partial<Usage>[] = [],
): string | undefined {
  if (!budget) return undefined;
  const ended = usedBy(agent);
  const all = running.map(amountsOf).reduce(plus, ended);
  if (!isUsedUp(budget, ended) && !isExceeded(budget, all)) return undefined;
  return `it has used ${usedOf(budget, all)}, which is its budget; with a larger one in its overrides, and resumed, it goes on`;
}

const plus = (one: Amounts, other: Amounts): Amounts => ({
  tokens: one.tokens + other.tokens,
  costUsd: one.costUsd + other.costUsd,
});

/** It stops, what runs goes back to the queue, and nothing wakes it until it is resumed. */
export function holdSpent(agent: Agent, reason: string, nowMs: number): AgentDecision {
  if (agent.status !== 'running') return hold(agent, nowMs, reason);
  return beginStop({ ...agent, held: true, heldReason: reason }, 'paused', true, reason, nowMs);
}
