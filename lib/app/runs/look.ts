import { runHead } from '../../domain/head.ts';
import {
  type Completion,
  chain,
  isMapped,
  isOver,
  type Run,
  type RunDecision,
  type RunEffect,
  stateOf,
  unchanged,
} from '../../domain/run.ts';
import { askToEnd, conclude, concludeEnding, hasUnasked, isComplete, isEnded } from '../../domain/run-end.ts';
import { begin, expand, fold, join, joinableSteps, readySteps } from '../../domain/run-steps.ts';
import { passTime } from '../../domain/run-waits.ts';
import type { Definition } from '../../domain/workflow.ts';
import { bySystem, type Cause, carry } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import { Conflict } from '../ports.ts';
import { RunActor } from './act.ts';
import { RunValues } from './bindings.ts';
import { checkUnderWay, withErrors } from './check.ts';
import { joinOutputs } from './join.ts';
import { outputOf } from './output.ts';
import { planOf } from './plan.ts';
import { commitRun } from './start.ts';

/** Ends that one commit takes into account, and things that it starts or asks to end. */
const endsPerTurn = 100;
const startsPerTurn = 100;
/** One look turns this often, or for so long; then it asks for the next one. */
const turns = 20;
const lookMs = 4_000;

/**
 * Takes into account what has ended, begins what can begin, commits that at once, and only then acts. May be called at
 * any time, any number of times, by several at once: the head's version decides who does what.
 */
export async function lookAtRun(deps: Deps, tenant: string, id: string, cause: string): Promise<void> {
  const by = bySystem('dispatch', cause);
  const untilMs = deps.now() + lookMs;
  let ends: Completion[] = [];
  for (let turn = 0; turn < turns && deps.now() < untilMs; turn++) {
    const run = await deps.runs.get(tenant, id);
    if (!run) return;
    try {
      const next = await turnOf(deps, run, ends, by);
      if (!next) return;
      ends = next.ends;
    } catch (error) {
      // Somebody else was faster; what is there now may want something else.
      if (!(error instanceof Conflict)) throw error;
      ends = [];
    }
  }
  const nowMs = deps.now();
  await deps.queues.nudgeAt(runHead(tenant, id), nowMs, nowMs);
}

/** One look and what follows. @returns what the next one has to know, or undefined if there is nothing more to do */
async function turnOf(
  deps: Deps,
  run: Run,
  known: Completion[],
  by: Cause,
): Promise<{ ends: Completion[] } | undefined> {
  const { tenant, id } = run;
  const version = await deps.workflows.get(tenant, run.workflow, run.workflowVersion);
  if (!version)
    throw new Error(`The run ${id} holds version ${run.workflowVersion} of ${run.workflow}, which is gone.`);
  const { definition } = version;
  const nowMs = deps.now();
  const inbox = await deps.runs.inbox(tenant, id, endsPerTurn);
  const values = new RunValues(deps, run, definition);
  const isDue = run.dueAtMs !== undefined && run.dueAtMs <= nowMs;
  const before = new RunActor(deps, run, definition, values, by);
  const checked = isDue && !isOver(run) ? await checkUnderWay(deps, run, definition, before) : undefined;
  const lost = checked?.ends.filter((end) => hasFreshAgent(definition, end)) ?? [];
  // Only word of an end brings whoever comes after a crash to terminate its agent.
  await inParallel(lost, 10, (end) => deps.runs.leaveWord(tenant, id, end));
  const ends = await withErrors(deps, run, definition, [...known, ...inbox, ...(checked?.ends ?? [])]);
  const decision = await decide(
    deps,
    checked ? { ...run, checked: checked.seen } : run,
    definition,
    ends,
    values,
    by,
    nowMs,
  );
  const after = await committed(deps, run, decision, isDue, by);
  const actor = new RunActor(deps, after, definition, values, by);
  const again = checked?.effects.filter((effect) => isUnderWay(after, effect)) ?? [];
  const failed = await actor.perform([...again, ...decision.effects, ...timersOf(run, after, nowMs)]);
  await inParallel([...inbox, ...lost], 10, (end) => deps.runs.drop(tenant, id, end));
  if (isOver(after)) await settle(deps, after, by);
  const isMore = inbox.length === endsPerTurn || hasUnasked(after) || canExpand(after, definition);
  return failed.length > 0 || isMore ? { ends: failed } : undefined;
}

async function decide(
  deps: Deps,
  run: Run,
  definition: Definition,
  ends: Completion[],
  values: RunValues,
  by: Cause,
  nowMs: number,
): Promise<RunDecision> {
  let decision = unchanged(run);
  for (const end of ends) decision = chain(decision, (now) => fold(now, definition, end, nowMs));
  if (isOver(run)) return decision;
  decision = chain(decision, (now) => passTime(now, definition, nowMs));
  // What is joined, skipped or failed at once may make more ready: until nothing moves any more.
  for (let moved = true; moved; ) {
    const steps = readySteps(decision.run, definition);
    const joinable = joinableSteps(decision.run);
    for (const step of joinable) {
      const { run: now } = decision;
      const actor = new RunActor(deps, now, definition, values, by);
      const output = wantsOutput(now, step) ? await joinOutputs(deps, now, definition, step, actor) : undefined;
      decision = chain(decision, (latest) => join(latest, definition, step, output, nowMs));
    }
    for (const step of steps) {
      const plan = await planOf(deps, decision.run, step, values, nowMs);
      decision = chain(decision, (now) => begin(now, definition, plan, nowMs));
      if (decision.run.ending) break;
    }
    moved = steps.length + joinable.length > 0;
  }
  decision = chain(decision, (now) => expand(now, definition, startsPerTurn));
  decision = chain(decision, (now) => askToEnd(now, definition, startsPerTurn));
  if (isEnded(decision.run)) return chain(decision, (now) => concludeEnding(now, definition, nowMs));
  if (!isComplete(decision.run, definition)) return decision;
  const outcome = await outputOf(deps, decision.run, definition, values, nowMs);
  return chain(decision, (now) => conclude(now, outcome, nowMs));
}

function wantsOutput(run: Run, step: string): boolean {
  const state = stateOf(run, step);
  return isMapped(state) && state.next === state.total && !(run.ending && state.error);
}

async function committed(deps: Deps, run: Run, decision: RunDecision, isDue: boolean, by: Cause): Promise<Run> {
  const isChanged = JSON.stringify(decision.run) !== JSON.stringify(run);
  if (!isChanged && !isDue) return run;
  // What its last effects are cut off from is found again.
  const keepDue = decision.effects.length > 0 && !isOver(run);
  return commitRun(deps, run, decision.run, carry(deps, decision.events, by), { keepDue });
}

/** A run that is over is looked at no more, once everything is acted on. */
async function settle(deps: Deps, run: Run, by: Cause): Promise<void> {
  if (run.dueAtMs === undefined) return;
  await commitRun(deps, run, run, carry(deps, [], by));
}

/** What is due soon is looked at to the second: the end of a run's time, and the rest of what a check could not see at once. */
function timersOf(before: Run, after: Run, nowMs: number): RunEffect[] {
  const times = [
    ...(before.version === 1 ? [after.deadlineMs] : []),
    ...(after.checked === undefined ? [] : [nowMs + 5_000]),
  ];
  return isOver(after) ? [] : times.map((atMs) => ({ type: 'timer', atMs }));
}

function isUnderWay(run: Run, effect: RunEffect): boolean {
  if (effect.type !== 'start' && effect.type !== 'end') return false;
  const state = stateOf(run, effect.step);
  if (state.status !== 'running' || (effect.type === 'start' && run.ending)) return false;
  return effect.item === undefined || (isMapped(state) && state.active.includes(effect.item));
}

function hasFreshAgent({ steps }: Definition, { step }: Completion): boolean {
  return steps.some(({ id, template }) => id === step && template !== undefined);
}

function canExpand(run: Run, definition: Definition): boolean {
  return expand(run, definition, 1).effects.length > 0;
}
