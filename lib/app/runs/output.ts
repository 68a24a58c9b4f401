import { evaluate } from '../../domain/expression.ts';
import { isDone, type Run, type RunError, stateOf, type ValueRef } from '../../domain/run.ts';
import type { Definition } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import type { RunValues } from './bindings.ts';
import { failureOf } from './plan.ts';
import { keepValue } from './values.ts';

/**
 * What a run gives: its output expression; without one the output of its last step, or, if several steps are last, an
 * object with the output of each.
 */
export async function outputOf(
  deps: Deps,
  run: Run,
  definition: Definition,
  values: RunValues,
  nowMs: number,
): Promise<{ output: ValueRef } | { error: RunError }> {
  const last = definition.steps.filter((step) => !definition.steps.some((other) => other.needs.includes(step.id)));
  const [only] = last;
  if (definition.output === undefined && only && last.length === 1) {
    const state = stateOf(run, only.id);
    return { output: (isDone(state) && state.output) || { inline: null } };
  }
  const names = last.map((step) => [step.id, `{% $lookup($steps, ${JSON.stringify(step.id)}).output %}`]);
  const template = definition.output ?? Object.fromEntries(names);
  try {
    const output = await evaluate(template, await values.bindings(template, run), { path: 'output', nowMs });
    return { output: await keepValue(deps, run, 'output', output) };
  } catch (error) {
    const { code, message } = failureOf(error);
    return { error: { code, message: `The output of the run could not be made: ${message}` } };
  }
}
