import { actions } from './actions.ts';
import type { Plan } from './plan.ts';
import type { Outcome } from './simulation.ts';

type Run = (plan: Plan) => Promise<Outcome>;

/** A plan that does less: fewer hours, customers, faults, kinds of actions. The greatest savings come first. */
function* smaller(plan: Plan): Generator<Plan> {
  for (const part of [0.25, 0.5, 0.75]) yield { ...plan, hours: Math.round(plan.hours * part * 1000) / 1000 };
  const busy = Array.from({ length: plan.agents }, (_, number) => number).filter((n) => !plan.without?.includes(n));
  if (busy.length > 1) for (const number of busy) yield { ...plan, without: [...(plan.without ?? []), number] };
  yield* halved(plan.faults).map((faults) => ({ ...plan, faults }));
  for (const fault of plan.faults) yield { ...plan, faults: plan.faults.filter((other) => other !== fault) };
  const names = plan.actions ?? actions.map(({ name }) => name);
  yield* halved(names).map((some) => ({ ...plan, actions: some }));
  if (names.length > 1) for (const name of names) yield { ...plan, actions: names.filter((other) => other !== name) };
}

function halved(items: readonly string[]): string[][] {
  if (items.length < 4) return [];
  const middle = items.length >> 1;
  return [items.slice(0, middle), items.slice(middle)];
}

/** What a violation says, whoever it is about. */
function kindOf({ violation }: Outcome): string | undefined {
  return violation?.message.replace(/\d+/g, 'n').slice(0, 60);
}

/**
 * Looks for a smaller plan that breaks the same invariant, until none of the smaller ones does, or it has tried enough.
 * @returns the smallest that was found
 */
export async function shrink(failed: Outcome, run: Run, mostRuns: number): Promise<Outcome> {
  let best = failed;
  for (let runs = 0; runs < mostRuns; ) {
    let found: Outcome | undefined;
    for (const plan of smaller(best.plan)) {
      if (runs++ >= mostRuns) break;
      const outcome = await run(plan);
      if (kindOf(outcome) !== kindOf(failed)) continue;
      found = outcome;
      break;
    }
    if (!found) break;
    best = found;
  }
  return best;
}
