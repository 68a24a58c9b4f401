import { illegalTransition, invalid, notFound, RouseError } from '../../domain/errors.ts';
import { runHead } from '../../domain/head.ts';
import { isDone, isOver, type Run, type RunDecision, type StepState, stateOf } from '../../domain/run.ts';
import { endRun } from '../../domain/run-end.ts';
import { answer, signal, WrongStep } from '../../domain/run-waits.ts';
import { type Definition, type Step, stepsAfter, type WorkflowVersion } from '../../domain/workflow.ts';
import { filteredPage } from '../agents.ts';
import { type Cause, carry, retried } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict, type Page } from '../ports.ts';
import { commitRun, makeRun } from './start.ts';
import { keepValue, readValue } from './values.ts';

export async function existingRun(deps: Deps, tenant: string, id: string): Promise<Run> {
  const run = await deps.runs.get(tenant, id);
  if (!run) throw notFound('run', id);
  return run;
}

export async function versionOf(deps: Deps, run: Run): Promise<WorkflowVersion> {
  const version = await deps.workflows.get(run.tenant, run.workflow, run.workflowVersion);
  if (!version) throw notFound('workflow', `${run.workflow}@${run.workflowVersion}`);
  return version;
}

/** Ends a run: it is cancelled when there is proof that nothing of it runs. */
export async function cancelRun(
  deps: Deps,
  tenant: string,
  id: string,
  by: Cause,
  options: { force: boolean } = { force: false },
): Promise<Run> {
  return change(deps, tenant, id, by, (run, nowMs) => {
    if (isOver(run) && run.status !== 'cancelled')
      throw illegalTransition('run', id, run.status, 'cancel', ['running']);
    const error = { code: 'cancelled', message: `The run was cancelled by ${by.actor.type} ${by.actor.id}.` };
    return endRun(run, { status: 'cancelled', error, ...options }, nowMs);
  });
}

export interface Answer {
  approved: boolean;
  comment?: string | undefined;
  output?: unknown;
}

/** Approves or rejects. The first answer counts; the same again is no error. */
export async function answerApproval(
  deps: Deps,
  tenant: string,
  id: string,
  stepId: string,
  given: Answer,
  by: Cause,
): Promise<Run> {
  const { step } = await stepOfRun(deps, tenant, id, stepId);
  const { approved, comment = null, output = null } = given;
  const value = { approved, comment, output, by: by.actor.id, timedOut: false };
  const ref = await keepValue(deps, { tenant, id }, `${stepId}/answer`, value);
  return change(deps, tenant, id, by, (run, nowMs) => answer(run, step, approved, ref, nowMs));
}

/** Gives a step the signal that it waits for; one that comes before is kept. */
export async function signalStep(
  deps: Deps,
  tenant: string,
  id: string,
  stepId: string,
  given: { name: string; body?: unknown },
  by: Cause,
): Promise<Run> {
  const { step } = await stepOfRun(deps, tenant, id, stepId);
  const ref = await keepValue(deps, { tenant, id }, `${stepId}/signal`, given.body ?? null);
  return change(deps, tenant, id, by, (run, nowMs) => signal(run, step, given.name, ref, nowMs));
}

async function stepOfRun(deps: Deps, tenant: string, id: string, stepId: string): Promise<{ step: Step }> {
  const { definition } = await versionOf(deps, await existingRun(deps, tenant, id));
  const step = definition.steps.find((one) => one.id === stepId);
  if (!step) throw notFound('step', stepId);
  return { step };
}

async function change(
  deps: Deps,
  tenant: string,
  id: string,
  by: Cause,
  decide: (run: Run, nowMs: number) => RunDecision,
): Promise<Run> {
  try {
    const after = await retried(async () => {
      const run = await existingRun(deps, tenant, id);
      const decision = decide(run, deps.now());
      if (decision.run === run) return run;
      return commitRun(deps, run, decision.run, carry(deps, decision.events, by), { lookSoon: true });
    });
    if (!isOver(after)) await deps.queues.nudge([runHead(tenant, id)]);
    return after;
  } catch (error) {
    if (error instanceof WrongStep) throw new RouseError('illegal_transition', error.message, { cause: error });
    if (error instanceof Conflict) throw new RouseError('conflict', `${error.message} Try again.`, { cause: error });
    throw error;
  }
}

/**
 * A new run like one that is over, with its version and input. With `fromStep` it keeps what has succeeded, or was
 * skipped, of the steps that don't come after that one.
 */
export async function rerun(
  deps: Deps,
  tenant: string,
  id: string,
  start: { id: string; fromStep?: string | undefined },
  by: Cause,
): Promise<Run> {
  const old = await existingRun(deps, tenant, id);
  if (!isOver(old))
    throw illegalTransition('run', id, 'running', 'rerun', ['succeeded', 'failed', 'cancelled', 'timed_out']);
  const version = await versionOf(deps, old);
  const steps = start.fromStep === undefined ? {} : keptSteps(old, version.definition, start.fromStep);
  const input = await readValue(deps, tenant, old.input);
  const { timeoutSeconds } = version.definition;
  return makeRun(deps, { id: start.id, tenant, version, input, steps, depth: 0, timeoutSeconds, rerunOf: id }, by);
}

function keptSteps(old: Run, definition: Definition, fromStep: string): Record<string, StepState> {
  if (!definition.steps.some((step) => step.id === fromStep)) {
    const known = definition.steps.map((step) => step.id).join(', ');
    throw invalid('fromStep', `Received "${fromStep}"; there is no such step. The steps are ${known}.`);
  }
  const again = new Set([fromStep, ...stepsAfter(definition.steps, fromStep)]);
  const kept = new Map<string, StepState>();
  for (const { id } of definition.steps) {
    const state = stateOf(old, id);
    if (again.has(id) || !isDone(state)) continue;
    // What the old run had taken over itself still belongs to the one that did it.
    const copiedFrom = state.copiedFrom ?? old.id;
    if (state.status === 'succeeded' || state.status === 'skipped') kept.set(id, { ...state, copiedFrom });
  }
  // What needs something that runs again runs again itself.
  for (let dropped = true; dropped; ) {
    const stale = definition.steps.find(({ id, needs }) => kept.has(id) && needs.some((need) => !kept.has(need)));
    dropped = stale !== undefined && kept.delete(stale.id);
  }
  return Object.fromEntries(kept);
}

export interface RunFilter {
  workflow: readonly string[];
  status: readonly string[];
}

/** Newest first. */
export function listRuns(
  deps: Deps,
  tenant: string,
  filter: RunFilter,
  limit: number,
  before: string | undefined,
): Promise<Page<Run>> {
  const matches = (run: Run) =>
    (filter.workflow.length === 0 || filter.workflow.includes(run.workflow)) &&
    (filter.status.length === 0 || filter.status.includes(run.status));
  return filteredPage(
    (size, from) => deps.runs.page(tenant, size, from),
    matches,
    (run) => run.id,
    limit,
    before,
  );
}
