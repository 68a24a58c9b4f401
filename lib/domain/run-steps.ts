import { brief } from './errors.ts';
import type { EventDraft } from './event.ts';
import {
  type Completion,
  chain,
  type DoneStep,
  type ItemsRef,
  isDone,
  isMapped,
  isSingle,
  type MappedStep,
  type Run,
  type RunDecision,
  type RunEffect,
  type RunError,
  type StepState,
  stateOf,
  unchanged,
  type ValueRef,
  withStep,
} from './run.ts';
import { endRun } from './run-end.ts';
import { type Definition, kindOf, onFailureOf, type Step, stepOf, workflowLimits } from './workflow.ts';

/** How a step that is ready begins, once its expressions are evaluated. */
export type Plan = { step: string } & (
  | { type: 'skip'; reason: string }
  | { type: 'fail'; error: RunError }
  /** One task or sub-run, with the id that it will have. */
  | { type: 'single'; id: string; agentId?: string | undefined }
  | { type: 'items'; items: ItemsRef; total: number }
  | { type: 'wait'; prompt?: string | undefined }
);

/** Steps that may begin: all that they need is over. */
export function readySteps(run: Run, definition: Definition): Step[] {
  if (run.ending) return [];
  return definition.steps.filter(
    (step) => stateOf(run, step.id).status === 'pending' && step.needs.every((need) => isDone(stateOf(run, need))),
  );
}

/** A step whose needs were all skipped is skipped too; with some of them left it runs, and reads null of the others. */
export function isCutOff(run: Run, step: Step): boolean {
  return step.needs.length > 0 && step.needs.every((need) => stateOf(run, need).status === 'skipped');
}

export function begin(run: Run, definition: Definition, plan: Plan, nowMs: number): RunDecision {
  const step = stepOf(definition, plan.step);
  const started = (state: StepState, data: Record<string, unknown> = {}): RunDecision => ({
    run: withStep(run, step.id, state),
    events: [{ type: 'workflow.step_started', data: { step: step.id, kind: kindOf(step), ...data } }],
    effects: [],
  });
  switch (plan.type) {
    case 'skip': {
      const { reason } = plan;
      return finishStep(run, step.id, { status: 'skipped', finishedMs: nowMs, reason }, { reason });
    }
    case 'fail':
      return failStep(run, definition, step.id, plan.error, nowMs, { startedMs: nowMs });
    case 'single': {
      const { id, agentId } = plan;
      const decision = started({ status: 'running', startedMs: nowMs, id, agentId }, { id });
      return { ...decision, effects: [{ type: 'start', step: step.id }] };
    }
    case 'items': {
      const { items, total } = plan;
      const counts = { total, next: 0, active: [], succeeded: 0, failed: 0 };
      return started({ status: 'running', startedMs: nowMs, items, ...counts }, { items: total });
    }
    case 'wait':
      return wait(run, step, plan.prompt, nowMs);
    default:
      return plan satisfies never;
  }
}

function wait(run: Run, step: Step, prompt: string | undefined, nowMs: number): RunDecision {
  const kept = stateOf(run, step.id);
  if (kept.status === 'pending' && kept.signal)
    return finishStep(run, step.id, {
      status: 'succeeded',
      startedMs: nowMs,
      finishedMs: nowMs,
      output: kept.signal,
    });
  const seconds = step.approval?.timeoutSeconds ?? step.timeoutSeconds;
  const untilMs = seconds === undefined ? undefined : nowMs + seconds * 1000;
  const until = untilMs === undefined ? {} : { until: new Date(untilMs).toISOString() };
  return {
    run: withStep(run, step.id, { status: 'waiting', startedMs: nowMs, untilMs, prompt }),
    events: [
      {
        type: 'workflow.step_waiting',
        data: { step: step.id, for: step.waitFor ?? 'approval', ...(prompt === undefined ? {} : { prompt }), ...until },
      },
    ],
    effects: untilMs === undefined ? [] : [{ type: 'timer', atMs: untilMs }],
  };
}

/** Starts as many items of each forEach step as may be under way, `budget` of all at most. */
export function expand(run: Run, definition: Definition, budget: number): RunDecision {
  let decision = unchanged(run);
  if (run.ending) return decision;
  const underWay = Object.values(run.steps).reduce((sum, one) => sum + (isMapped(one) ? one.active.length : 0), 0);
  let left = Math.min(budget, workflowLimits.underWay - underWay);
  for (const step of definition.steps) {
    const state = stateOf(decision.run, step.id);
    if (!isMapped(state)) continue;
    const count = Math.min(left, step.maxConcurrency - state.active.length, state.total - state.next);
    if (count <= 0) continue;
    left -= count;
    const items = Array.from({ length: count }, (_, i) => state.next + i);
    const after: MappedStep = { ...state, next: state.next + count, active: [...state.active, ...items] };
    const effects = items.map((item): RunEffect => ({ type: 'start', step: step.id, item }));
    decision = chain(decision, (now) => ({ run: withStep(now, step.id, after), events: [], effects }));
  }
  return decision;
}

/** Takes the end of a task or sub-run into account. One that was taken before, or belongs to nothing here, changes nothing. */
export function fold(run: Run, definition: Definition, completion: Completion, nowMs: number): RunDecision {
  const { step, item } = completion;
  const definedStep = definition.steps.find((one) => one.id === step);
  if (!definedStep) return unchanged(run);
  const decision =
    item === undefined ? foldSingle(run, definition, completion, nowMs) : foldItem(run, definition, completion, nowMs);
  if (definedStep.template === undefined) return decision;
  // Also for one that was taken before: whoever took it may have died before it cleaned up.
  return { ...decision, effects: [...decision.effects, { type: 'clean', step, item, id: completion.id }] };
}

function foldSingle(run: Run, definition: Definition, completion: Completion, nowMs: number): RunDecision {
  const { step } = completion;
  const state = stateOf(run, step);
  if (!isSingle(state) || state.id !== completion.id) return unchanged(run);
  const { startedMs, id, agentId } = state;
  const known = { startedMs, id, agentId };
  if (completion.status === 'succeeded') {
    const output: ValueRef = definitionMakesRuns(definition, step) ? { runId: id } : { taskId: id };
    return finishStep(run, step, { status: 'succeeded', finishedMs: nowMs, output, ...known });
  }
  const error = errorOf(completion);
  if (run.ending && completion.status === 'cancelled')
    return finishStep(run, step, { status: 'cancelled', finishedMs: nowMs, error, ...known });
  return failStep(run, definition, step, error, nowMs, known);
}

function definitionMakesRuns(definition: Definition, step: string): boolean {
  return stepOf(definition, step).workflow !== undefined;
}

function foldItem(run: Run, definition: Definition, completion: Completion, nowMs: number): RunDecision {
  const { step, item } = completion;
  const state = stateOf(run, step);
  if (!isMapped(state) || item === undefined || !state.active.includes(item)) return unchanged(run);
  const active = state.active.filter((other) => other !== item);
  if (completion.status === 'succeeded')
    return unchanged(withStep(run, step, { ...state, active, succeeded: state.succeeded + 1 }));
  if (run.ending && completion.status === 'cancelled') return unchanged(withStep(run, step, { ...state, active }));
  const { code, message } = errorOf(completion);
  const error = state.error ?? { code, message: `item ${item}: ${message}` };
  const after = withStep(run, step, { ...state, active, failed: state.failed + 1, error });
  const stepDefinition = stepOf(definition, step);
  if (after.ending || onFailureOf(definition, stepDefinition) === 'continue') return unchanged(after);
  return endRun(after, { status: 'failed', error: blaming(step, error) }, nowMs);
}

function errorOf({ id, status, error }: Completion): RunError {
  return error ? brief(error) : { code: status, message: `${id} has ended as ${status}.` };
}

/** forEach steps of which every item is over, so that their outputs can be joined. */
export function joinableSteps(run: Run): string[] {
  return Object.entries(run.steps).flatMap(([id, state]) => {
    if (!isMapped(state) || state.active.length > 0) return [];
    return state.next === state.total || run.ending ? [id] : [];
  });
}

/** Ends a forEach step whose items are over, with what they have given. */
export function join(
  run: Run,
  definition: Definition,
  step: string,
  output: { output: ValueRef } | { error: RunError } | undefined,
  nowMs: number,
): RunDecision {
  const state = stateOf(run, step);
  if (!isMapped(state)) throw new Error(`The step "${step}" of the run ${run.id} has no items to join.`);
  const { startedMs, items, total, next, succeeded, failed, error } = state;
  const known = { startedMs, items, counts: { total, started: next, succeeded, failed } };
  if (run.ending && (next < total || output === undefined || error)) {
    const status = error ? 'failed' : 'cancelled';
    return finishStep(run, step, { status, finishedMs: nowMs, error, ...known }, error && { ...error });
  }
  if (output === undefined) throw new Error(`The outputs of the step "${step}" of the run ${run.id} are missing.`);
  if ('error' in output) return failStep(run, definition, step, output.error, nowMs, known);
  const done: DoneStep = { status: 'succeeded', finishedMs: nowMs, output: output.output, error, ...known };
  return finishStep(run, step, done, known.counts);
}

export function failStep(
  run: Run,
  definition: Definition,
  step: string,
  error: RunError,
  nowMs: number,
  known: Partial<DoneStep>,
): RunDecision {
  const failed = finishStep(run, step, { ...known, status: 'failed', finishedMs: nowMs, error }, { ...error });
  if (run.ending || onFailureOf(definition, stepOf(definition, step)) === 'continue') return failed;
  return chain(failed, (now) => endRun(now, { status: 'failed', error: blaming(step, error) }, nowMs));
}

function blaming(step: string, { code, message }: RunError): RunError {
  return { code, message: `The step "${step}" failed: ${message}`, step };
}

export function finishStep(run: Run, step: string, done: DoneStep, data: Record<string, unknown> = {}): RunDecision {
  const seconds = done.startedMs === undefined ? {} : { seconds: (done.finishedMs - done.startedMs) / 1000 };
  const event: EventDraft = { type: `workflow.step_${done.status}`, data: { step, ...seconds, ...data } };
  return { run: withStep(run, step, done), events: [event], effects: [] };
}
