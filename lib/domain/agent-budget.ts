import type { Agent, AgentDecision } from './agent.ts';
import { hold } from './agent-life.ts';
import { beginStop } from './agent-stop.ts';
import { amountsOf, type Budget, isUsedUp, usedOf } from './budget.ts';
import type { Usage } from './cost.ts';

/** What the ended attempts of an agent have used since it has a budget. */
export function usedBy({ usedTokens = 0, usedCostUsd = 0 }: Agent): { tokens: number; costUsd: number } {
  return { tokens: usedTokens, costUsd: usedCostUsd };
}

/** The agent as it is when one more attempt is counted. */
export function withUsage(agent: Agent, usage: Partial<Usage>): Agent {
  const before = usedBy(agent);
  const more = amountsOf(usage);
  return { ...agent, usedTokens: before.tokens + more.tokens, usedCostUsd: before.costUsd + more.costUsd };
}

/** Why it may not begin anything any more, and what helps; undefined while it may. */
export function whySpent(agent: Agent, budget: Budget | undefined): string | undefined {
  const used = usedBy(agent);
  if (!budget || !isUsedUp(budget, used)) return undefined;
  return `it has used ${usedOf(budget, used)}, which is its budget; with a larger one in its overrides, and resumed, it goes on`;
}

/** It stops, what runs goes back to the queue, and nothing wakes it until it is resumed. */
export function holdSpent(agent: Agent, reason: string, nowMs: number): AgentDecision {
  if (agent.status !== 'running') return hold(agent, nowMs, reason);
  return beginStop({ ...agent, held: true, heldReason: reason }, 'paused', true, reason, nowMs);
}
