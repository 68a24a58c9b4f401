import { brief, RouseError } from '../../domain/errors.ts';
import { type EvaluateOptions, ExpressionError, evaluate, expressionIn } from '../../domain/expression.ts';
import { idOf, isId } from '../../domain/id.ts';
import type { Run, RunError } from '../../domain/run.ts';
import { isCutOff, type Plan } from '../../domain/run-steps.ts';
import { kindOf, type Step, workflowLimits } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import type { RunValues } from './bindings.ts';
import { agentSeedOf, childIdOf, taskIdOf } from './identity.ts';
import { keepItems } from './values.ts';

/** Evaluates what decides how a step begins: whether it runs at all, on what, and on how many items. */
export async function planOf(deps: Deps, run: Run, step: Step, values: RunValues, nowMs: number): Promise<Plan> {
  if (isCutOff(run, step)) return { step: step.id, type: 'skip', reason: 'all that it needs was skipped' };
  try {
    return await plan(deps, run, step, values, nowMs);
  } catch (error) {
    return { step: step.id, type: 'fail', error: failureOf(error) };
  }
}

async function plan(deps: Deps, run: Run, step: Step, values: RunValues, nowMs: number): Promise<Plan> {
  const filled = async (field: string, template: unknown, options: Partial<EvaluateOptions> = {}) =>
    evaluate(template, await values.bindings(template, run), { path: `steps.${step.id}.${field}`, nowMs, ...options });
  if (step.when !== undefined) {
    const wanted = await filled('when', step.when);
    if (typeof wanted !== 'boolean')
      throw new ExpressionError(
        `steps.${step.id}.when`,
        expressionIn(step.when) ?? '',
        `it gave ${shown(wanted)}; true or false is allowed.`,
      );
    if (!wanted) return { step: step.id, type: 'skip', reason: 'its "when" gave false' };
  }
  const kind = kindOf(step);
  if (kind === 'approval' || kind === 'waitFor') {
    const prompt = step.approval && promptIn(step, await filled('approval.prompt', step.approval.prompt));
    return { step: step.id, type: 'wait', prompt };
  }
  if (step.forEach !== undefined) return planItems(deps, run, step, values, nowMs, filled);
  if (kind === 'workflow') return { step: step.id, type: 'single', id: childIdOf(run, step.id, nowMs, undefined) };
  const agentId =
    kind === 'template'
      ? idOf('agent', agentSeedOf(run, step.id, nowMs, undefined))
      : agentIdIn(step, await filled('agent', step.agent));
  return { step: step.id, type: 'single', id: taskIdOf(run, step.id, nowMs, undefined, agentId), agentId };
}

async function planItems(
  deps: Deps,
  run: Run,
  step: Step,
  values: RunValues,
  nowMs: number,
  filled: (field: string, template: unknown, options?: Partial<EvaluateOptions>) => Promise<unknown>,
): Promise<Plan> {
  const found = await filled('forEach', step.forEach, { allowNothing: true });
  // JSONata makes a single value of a sequence of one, and nothing of an empty one.
  const items = found === undefined ? [] : Array.isArray(found) ? found : [found];
  if (items.length > workflowLimits.items)
    throw new RouseError('invalid', `forEach gave ${items.length} items; at most ${workflowLimits.items} are allowed.`);
  let agents: string[] | undefined;
  if (step.agent !== undefined && expressionIn(step.agent) !== undefined) {
    const bindings = await values.bindings(step.agent, run);
    agents = [];
    for (const [index, item] of items.entries()) {
      const path = `steps.${step.id}.agent (item ${index})`;
      agents.push(agentIdIn(step, await evaluate(step.agent, { ...bindings, item, index }, { path, nowMs })));
    }
  }
  const kept = await keepItems(deps, run, step.id, { items, ...(agents ? { agents } : {}) });
  return { step: step.id, type: 'items', items: kept, total: items.length };
}

function agentIdIn(step: Step, value: unknown): string {
  if (typeof value === 'string' && isId('agent', value)) return value;
  throw new RouseError(
    'invalid',
    `"agent" of the step "${step.id}" gave ${shown(value)}; the id of an agent is allowed.`,
  );
}

function promptIn(step: Step, value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.length <= workflowLimits.prompt) return text;
  const detail = `The prompt of the step "${step.id}" has ${text.length} characters; at most ${workflowLimits.prompt} are allowed.`;
  throw new RouseError('invalid', detail);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** What is wrong with a step's own doing. Anything else is a failure of ours, and tried again. */
export function failureOf(error: unknown): RunError {
  if (error instanceof ExpressionError) return brief({ code: 'expression_failed', message: error.message });
  if (error instanceof RouseError && error.status < 500 && error.status !== 429)
    return brief({ code: error.code, message: error.detail });
  throw error;
}
