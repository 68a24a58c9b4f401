import {
  type DoneStep,
  isBusy,
  isDone,
  isMapped,
  isOver,
  isSingle,
  type Run,
  type RunDecision,
  type RunEffect,
  type RunEnding,
  type RunError,
  stateOf,
  unchanged,
  type ValueRef,
  withStep,
} from './run.ts';
import type { Definition } from './workflow.ts';

/**
 * Begins the end of a run: nothing starts any more, what waits is over, what runs is asked to end. The first reason
 * counts; force may come later, and asks again.
 */
export function endRun(run: Run, ending: RunEnding, nowMs: number): RunDecision {
  if (isOver(run)) return unchanged(run);
  if (run.ending) return ending.force && !run.ending.force ? unchanged(forced(run, run.ending)) : unchanged(run);
  const { code, message } = ending.error;
  const decision: RunDecision = {
    run: { ...run, ending, checked: undefined },
    events: [{ type: 'workflow.run_ending', data: { status: ending.status, code, message } }],
    effects: [],
  };
  for (const [id, state] of Object.entries(run.steps)) {
    if (state.status !== 'waiting') continue;
    const done: DoneStep = { status: 'cancelled', startedMs: state.startedMs, finishedMs: nowMs };
    decision.run = withStep(decision.run, id, done);
    decision.events.push({ type: 'workflow.step_cancelled', data: { step: id } });
  }
  return decision;
}

function forced(run: Run, ending: RunEnding): Run {
  const steps = Object.entries(run.steps).map(([id, state]) => [
    id,
    isSingle(state) || isMapped(state) ? { ...state, asked: undefined } : state,
  ]);
  return { ...run, ending: { ...ending, force: true }, steps: Object.fromEntries(steps) };
}

/** Asks what still runs of an ending run to end, `budget` things at most; each is asked once, unless a look finds it alive. */
export function askToEnd(run: Run, definition: Definition, budget: number): RunDecision {
  if (!run.ending) return unchanged(run);
  let after = run;
  const effects: RunEffect[] = [];
  for (const { id } of definition.steps) {
    const state = stateOf(after, id);
    const left = budget - effects.length;
    if (left <= 0) break;
    if (isSingle(state) && !state.asked) {
      effects.push({ type: 'end', step: id });
      after = withStep(after, id, { ...state, asked: true });
    } else if (isMapped(state)) {
      const unasked = state.active.filter((item) => item > (state.asked ?? -1)).slice(0, left);
      if (unasked.length === 0) continue;
      effects.push(...unasked.map((item): RunEffect => ({ type: 'end', step: id, item })));
      after = withStep(after, id, { ...state, asked: unasked.at(-1) });
    }
  }
  return { run: after, events: [], effects };
}

/** Whether more is to be asked to end than one look did. */
export function hasUnasked(run: Run): boolean {
  if (!run.ending) return false;
  return Object.values(run.steps).some((state) =>
    isMapped(state) ? state.active.some((item) => item > (state.asked ?? -1)) : isSingle(state) && !state.asked,
  );
}

export function isEnded(run: Run): boolean {
  return (
    !isOver(run) &&
    run.ending !== undefined &&
    !Object.values(run.steps).some((state) => isBusy(state) || isMapped(state))
  );
}

export function isComplete(run: Run, definition: Definition): boolean {
  return !isOver(run) && !run.ending && definition.steps.every((step) => isDone(stateOf(run, step.id)));
}

/** The end of a run of which nothing runs any more. */
export function concludeEnding(run: Run, definition: Definition, nowMs: number): RunDecision {
  if (!run.ending) throw new Error(`The run ${run.id} is not ending.`);
  let after = run;
  for (const { id } of definition.steps) {
    if (isDone(stateOf(after, id))) continue;
    after = withStep(after, id, { status: 'cancelled', finishedMs: nowMs, reason: 'the run had ended before it' });
  }
  const { status, error } = run.ending;
  return finished({ ...after, status, error }, nowMs, { ...error });
}

/** The end of a run whose steps are all done. */
export function conclude(run: Run, outcome: { output: ValueRef } | { error: RunError }, nowMs: number): RunDecision {
  if ('error' in outcome)
    return finished({ ...run, status: 'failed', error: outcome.error }, nowMs, { ...outcome.error });
  return finished({ ...run, status: 'succeeded', output: outcome.output }, nowMs, {});
}

function finished(run: Run, nowMs: number, data: Record<string, unknown>): RunDecision {
  const seconds = (nowMs - run.createdMs) / 1000;
  return {
    run: { ...run, finishedMs: nowMs, checked: undefined },
    events: [{ type: `workflow.run_${run.status}`, data: { seconds, ...data } }],
    effects: [],
  };
}
