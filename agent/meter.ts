import type { Spent } from './drivers/driver.ts';
import type { Amounts, BudgetState, Usage } from './protocol.ts';
import { type ContainerSize, usageOf } from './usage.ts';

/** The API takes no more of an attempt; a budget is never so large. */
const most: Amounts = { tokens: 1e12, costUsd: 1e9 };

/** Counts what an attempt uses: its time by the clock, the rest by what its program says. */
export class Meter {
  readonly #spent: Spent = { input: 0, output: 0, costUsd: 0 };
  readonly #size: ContainerSize;
  readonly #concurrency: number;
  readonly #usdPerSecond: number;

  constructor(size: ContainerSize, concurrency: number, usdPerSecond: number) {
    this.#size = size;
    this.#concurrency = concurrency;
    this.#usdPerSecond = usdPerSecond;
  }

  add({ input, output, costUsd }: Spent): void {
    this.#spent.input = Math.min(this.#spent.input + input, most.tokens);
    this.#spent.output = Math.min(this.#spent.output + output, most.tokens);
    this.#spent.costUsd = Math.min(this.#spent.costUsd + costUsd, most.costUsd);
  }

  usage(ranMs: number): Usage {
    return usageOf(ranMs, this.#size, this.#concurrency, this.#spent);
  }

  /** What counts against a budget. */
  amounts(ranMs: number): Amounts {
    const { input, output, costUsd } = this.#spent;
    return { tokens: input + output, costUsd: costUsd + (ranMs / 1000) * this.#usdPerSecond };
  }
}

/** Answers may overtake each other, and what was used is never less than it was. */
export function laterOf(known: BudgetState | undefined, told: BudgetState | undefined): BudgetState | undefined {
  if (!known || !told) return told;
  const tokens = Math.max(known.used.tokens, told.used.tokens);
  const costUsd = Math.max(known.used.costUsd, told.used.costUsd);
  return { ...told, used: { tokens, costUsd } };
}

/** Why what runs has to end, in a few words; undefined while it is within the budget. */
export function overrun(budget: BudgetState | null | undefined, running: readonly Amounts[]): string | undefined {
  if (!budget) return undefined;
  const { limits, used } = budget;
  const tokens = running.reduce((sum, amounts) => sum + amounts.tokens, used.tokens);
  const costUsd = running.reduce((sum, amounts) => sum + amounts.costUsd, used.costUsd);
  if (limits.tokens !== undefined && tokens > limits.tokens) return `${tokens} of ${limits.tokens} tokens`;
  if (limits.costUsd !== undefined && costUsd > limits.costUsd)
    return `$${Number(costUsd.toFixed(6))} of $${limits.costUsd}`;
  return undefined;
}
