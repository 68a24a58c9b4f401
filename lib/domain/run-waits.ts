import {
  chain,
  type DoneStep,
  isDone,
  isOver,
  type Run,
  type RunDecision,
  type RunError,
  stateOf,
  unchanged,
  type ValueRef,
  withStep,
} from './run.ts';
import { endRun } from './run-end.ts';
import { failStep, finishStep } from './run-steps.ts';
import { type Definition, type Step, stepOf } from './workflow.ts';

/** A step that is not in the state for a command, in words for the client. */
export class WrongStep extends Error {}

/** Answers an approval. The same answer again changes nothing. */
export function answer(run: Run, step: Step, approved: boolean, output: ValueRef, nowMs: number): RunDecision {
  if (!step.approval) throw new WrongStep(`The step "${step.id}" is no approval.`);
  const state = stateOf(run, step.id);
  // Who did not hear that it was taken says it again.
  if (state.status === 'succeeded' && JSON.stringify(state.output) === JSON.stringify(output)) return unchanged(run);
  if (state.status !== 'waiting') throw new WrongStep(whyNot(run, step, 'does not wait for an approval'));
  const done: DoneStep = { status: 'succeeded', startedMs: state.startedMs, finishedMs: nowMs, output };
  return finishStep(run, step.id, done, { approved });
}

/** A signal to a step that waits for it, or will: then it is kept. */
export function signal(run: Run, step: Step, name: string, body: ValueRef, nowMs: number): RunDecision {
  if (step.waitFor === undefined) throw new WrongStep(`The step "${step.id}" waits for no signal.`);
  if (step.waitFor !== name)
    throw new WrongStep(`Received the signal "${name}"; the step "${step.id}" waits for "${step.waitFor}".`);
  const state = stateOf(run, step.id);
  if (state.status === 'waiting') {
    const done: DoneStep = { status: 'succeeded', startedMs: state.startedMs, finishedMs: nowMs, output: body };
    return finishStep(run, step.id, done, { signal: name });
  }
  if (state.status !== 'pending' || isOver(run) || run.ending)
    throw new WrongStep(whyNot(run, step, 'takes no signal any more'));
  if (state.signal) throw new WrongStep(`The step "${step.id}" has got its signal already.`);
  return {
    run: withStep(run, step.id, { status: 'pending', signal: body }),
    events: [{ type: 'workflow.signal_received', data: { step: step.id, signal: name } }],
    effects: [],
  };
}

function whyNot(run: Run, step: Step, what: string): string {
  const of = isOver(run) ? `, and its run is ${run.status}` : '';
  return `The step "${step.id}" is ${stateOf(run, step.id).status}${of}: it ${what}.`;
}

/** What time alone brings about: approvals and waits that nobody answered, and the end of the run's own time. */
export function passTime(run: Run, definition: Definition, nowMs: number): RunDecision {
  if (isOver(run)) return unchanged(run);
  let decision = unchanged(run);
  if (run.deadlineMs <= nowMs) {
    const message = `The run was not done within ${definition.timeoutSeconds} s.`;
    return endRun(run, { status: 'timed_out', error: { code: 'timed_out', message } }, nowMs);
  }
  for (const [id, state] of Object.entries(run.steps)) {
    if (state.status !== 'waiting' || state.untilMs === undefined || state.untilMs > nowMs) continue;
    decision = chain(decision, (now) =>
      isDone(stateOf(now, id))
        ? unchanged(now)
        : giveUp(now, definition, stepOf(definition, id), state.startedMs, nowMs),
    );
  }
  return decision;
}

function giveUp(run: Run, definition: Definition, step: Step, startedMs: number, nowMs: number): RunDecision {
  const succeed = (value: unknown) => {
    const done: DoneStep = { status: 'succeeded', startedMs, finishedMs: nowMs, output: { inline: value } };
    return finishStep(run, step.id, done, { timedOut: true });
  };
  const fail = (error: RunError) => failStep(run, definition, step.id, error, nowMs, { startedMs });
  if (!step.approval) {
    if (step.default !== undefined) return succeed(step.default);
    const message = `The signal "${step.waitFor}" did not come within ${step.timeoutSeconds} s.`;
    return fail({ code: 'timed_out', message });
  }
  const { onTimeout, timeoutSeconds } = step.approval;
  if (onTimeout === 'fail')
    return fail({ code: 'timed_out', message: `Nobody answered the approval within ${timeoutSeconds} s.` });
  return succeed({ approved: onTimeout === 'approve', comment: null, output: null, by: null, timedOut: true });
}
