import type { Usage } from './cost.ts';

/** The most that may be used: by a task in all its attempts, or by an agent in its life. What is left out is not limited. */
export interface Budget {
  /** Input and output together. */
  tokens?: number | undefined;
  costUsd?: number | undefined;
}

export interface Amounts {
  tokens: number;
  costUsd: number;
}

/** Field by field, the later over the earlier; undefined when nothing is limited. */
export function mergedBudget(...budgets: (Budget | undefined)[]): Budget | undefined {
  const merged: Budget = Object.assign({}, ...budgets);
  return isLimited(merged) ? merged : undefined;
}

function isLimited(budget: Budget | undefined): budget is Budget {
  return budget?.tokens !== undefined || budget?.costUsd !== undefined;
}

/** The tighter of two, field by field. */
export function tighter(one: Budget | undefined, other: Budget | undefined): Budget | undefined {
  if (!one || !other) return one ?? other;
  const least = (a = noLimit, b = noLimit) => (a === noLimit && b === noLimit ? undefined : Math.min(a, b));
  return { tokens: least(one.tokens, other.tokens), costUsd: least(one.costUsd, other.costUsd) };
}

const noLimit = Number.POSITIVE_INFINITY;

/** What counts against a budget. */
export function amountsOf(usage: Partial<Usage> = {}): Amounts {
  const { inputTokens = 0, outputTokens = 0, costUsd = 0 } = usage;
  return { tokens: inputTokens + outputTokens, costUsd };
}

/** Nothing is left to begin anything with. */
export function isUsedUp({ tokens = noLimit, costUsd = noLimit }: Budget, used: Amounts): boolean {
  return used.tokens >= tokens || used.costUsd >= costUsd;
}

/** More was used than it allows: what runs has to end. */
export function isExceeded({ tokens = noLimit, costUsd = noLimit }: Budget, used: Amounts): boolean {
  return used.tokens > tokens || used.costUsd > costUsd;
}

/** How much of it was used, for people: `1204 of 1000 tokens`. */
export function usedOf(budget: Budget, { tokens, costUsd }: Amounts): string {
  const parts = [
    budget.tokens === undefined ? undefined : `${tokens} of ${budget.tokens} tokens`,
    budget.costUsd === undefined ? undefined : `$${Number(costUsd.toFixed(6))} of $${budget.costUsd}`,
  ];
  return parts.filter((part) => part !== undefined).join(' and ');
}
