import { actions } from './actions.ts';
import type { Plan } from './plan.ts';
import type { Outcome } from './simulation.ts';

type Run = (plan: Plan) => Promise<Outcome>;

/** Less is not worth the while. */
const leastHours = 0.01;

/** What a violation says, whoever it is about. */
function kindOf({ violation }: Outcome): string | undefined {
  return violation?.message.replace(/\d+/g, 'n').slice(0, 60);
}

/**
 * Looks for a smaller plan that breaks the same invariant: fewer hours, customers, faults, kinds of actions. It tries at
 * most `mostRuns` plans.
 * @returns the smallest that was found
 */
export async function shrink(failed: Outcome, run: Run, mostRuns: number): Promise<Outcome> {
  let best = failed;
  let runs = 0;
  const failsToo = async (change: Partial<Plan>): Promise<boolean> => {
    if (runs++ >= mostRuns) return false;
    const outcome = await run({ ...best.plan, ...change });
    const isSame = kindOf(outcome) === kindOf(failed);
    if (isSame) best = outcome;
    return isSame;
  };
  let { hours } = failed.plan;
  for (const part of [0.25, 0.5, 0.75])
    while (hours * part > leastHours && (await failsToo({ hours: rounded(hours * part) }))) hours = best.plan.hours;
  const customers = Array.from({ length: failed.plan.agents }, (_, number) => number);
  const idle = (busy: readonly number[]) => customers.filter((number) => !busy.includes(number));
  const busy = customers.filter((number) => !failed.plan.without?.includes(number));
  await fewer(busy, (some) => failsToo({ without: idle(some) }));
  await fewer(failed.plan.faults, (faults) => failsToo({ faults }));
  const names = failed.plan.actions ?? actions.map(({ name }) => name);
  await fewer(names, (some) => failsToo({ actions: some }));
  return best;
}

/** Leaves out halves, then quarters, and so on down to single items, as long as what is left still does it. */
async function fewer<T>(items: readonly T[], does: (items: readonly T[]) => Promise<boolean>): Promise<void> {
  let left = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = Math.floor(size / 2))
    for (let from = 0; from < left.length && left.length > 1; ) {
      const rest = [...left.slice(0, from), ...left.slice(from + size)];
      if (rest.length > 0 && (await does(rest))) left = rest;
      else from += size;
    }
}

function rounded(hours: number): number {
  return Math.round(hours * 1000) / 1000;
}
