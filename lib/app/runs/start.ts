import { conflict, notFound, RouseError } from '../../domain/errors.ts';
import { runHead } from '../../domain/head.ts';
import type { Parent } from '../../domain/parent.ts';
import { isMapped, type Run, type StepState, stateOf } from '../../domain/run.ts';
import { dueOf } from '../../domain/run-due.ts';
import { endRun } from '../../domain/run-end.ts';
import { type Definition, type Step, shareOf, type WorkflowVersion, workflowLimits } from '../../domain/workflow.ts';
import { type Cause, carry, retried } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { keepValue } from './values.ts';

/** What a new run is made of. */
export interface NewRun {
  id: string;
  tenant: string;
  version: WorkflowVersion;
  input: unknown;
  parent?: Parent | undefined;
  depth: number;
  /** Sub-runs that it may have. @default as many as a first run */
  budget?: number | undefined;
  timeoutSeconds: number;
  rerunOf?: string | undefined;
  /** Steps whose outputs are taken over. */
  steps?: Record<string, StepState> | undefined;
}

/** Starts the current version of a workflow. The same id starts it once. @throws RouseError not_found */
export async function startRun(
  deps: Deps,
  tenant: string,
  name: string,
  start: { id: string; input: unknown; parent?: Parent | undefined },
  by: Cause,
): Promise<Run> {
  const version = await deps.workflows.get(tenant, name);
  if (!version) throw notFound('workflow', name);
  const { timeoutSeconds } = version.definition;
  return makeRun(deps, { ...start, tenant, version, depth: 0, timeoutSeconds }, by);
}

/** Makes a run and has it looked at; one that is there already is given back as it is. */
export async function makeRun(deps: Deps, start: NewRun, by: Cause): Promise<Run> {
  const { id, tenant, version, parent, depth, budget, rerunOf, steps = {} } = start;
  const nowMs = deps.now();
  const run: Run = {
    id,
    tenant,
    workflow: version.name,
    workflowVersion: version.version,
    status: 'running',
    input: await keepValue(deps, { tenant, id }, 'input', start.input),
    steps,
    parent,
    depth,
    budget,
    rerunOf,
    createdMs: nowMs,
    movedMs: nowMs,
    deadlineMs: nowMs + start.timeoutSeconds * 1000,
    version: 1,
    // Its first look is asked for below; this is for when that gets lost.
    dueAtMs: nowMs,
  };
  const data = { workflow: run.workflow, version: run.workflowVersion, ...(rerunOf ? { rerunOf } : {}) };
  try {
    await deps.runs.create(run, carry(deps, [{ type: 'workflow.run_started', data }], by));
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    const existing = await deps.runs.get(tenant, id);
    if (!existing) throw conflict('The new run collided with another one. Try again.');
    return existing;
  }
  await deps.queues.nudge([runHead(tenant, id)]);
  return run;
}

/** Starts the sub-run of a step or item. @throws RouseError invalid when there would be too many */
export async function startChild(
  deps: Deps,
  parentRun: Run,
  definition: Definition,
  step: Step,
  id: string,
  input: unknown,
  parent: Parent,
  by: Cause,
): Promise<void> {
  const { tenant } = parentRun;
  const depth = parentRun.depth + 1;
  if (depth > workflowLimits.depth) {
    const detail = `"${step.workflow}" would be ${depth} workflows deep; at most ${workflowLimits.depth} are allowed.`;
    throw new RouseError('invalid', detail);
  }
  const state = stateOf(parentRun, step.id);
  const items = isMapped(state) ? state.total : 1;
  const { budget = workflowLimits.subRuns } = parentRun;
  const share = shareOf(budget, definition, items);
  if (share.ofItem < 1) {
    const detail = `${items} sub-runs of "${step.workflow}" are too many: a run may have ${workflowLimits.subRuns} on each level below it, shared out evenly, and ${share.ofStep} are left for the step "${step.id}" of "${parentRun.workflow}".`;
    throw new RouseError('invalid', detail);
  }
  const version = await deps.workflows.get(tenant, step.workflow!);
  if (!version) throw notFound('workflow', step.workflow!);
  const timeoutSeconds = Math.min(version.definition.timeoutSeconds, step.timeoutSeconds ?? Number.POSITIVE_INFINITY);
  await makeRun(deps, { id, tenant, version, input, parent, depth, budget: share.ofItem, timeoutSeconds }, by);
}

/** Asks a sub-run to end with its parent. One that is over, or was never started, is left alone. */
export async function endChild(deps: Deps, tenant: string, id: string, force: boolean, by: Cause): Promise<undefined> {
  await retried(async () => {
    const run = await deps.runs.get(tenant, id);
    if (!run) return;
    const nowMs = deps.now();
    const message = `The run ${run.parent?.type === 'run' ? run.parent.runId : ''} that it is a part of has ended.`;
    const error = { code: 'cancelled', message };
    const { run: after, events } = endRun(run, { status: 'cancelled', error, force }, nowMs);
    if (after !== run) await commitRun(deps, run, after, carry(deps, events, by), { lookSoon: true });
    await deps.queues.nudgeAt(runHead(tenant, id), nowMs, nowMs);
  });
}

/**
 * Writes a run's next version, with its due time. `keepDue`: also a run that is over has something left to act on;
 * `lookSoon`: whoever writes asks for a look, which may get lost.
 */
export async function commitRun(
  deps: Deps,
  before: Run,
  after: Run,
  events: Parameters<Deps['runs']['commit']>[2],
  options: { keepDue?: boolean; lookSoon?: boolean } = {},
): Promise<Run> {
  const nowMs = deps.now();
  const movedMs = events.length > 0 ? nowMs : after.movedMs;
  const next = { ...after, movedMs, version: before.version + 1 };
  const soonMs = nowMs + 30_000;
  const wantedMs = dueOf(next, nowMs) ?? (options.keepDue ? soonMs : undefined);
  const dueAtMs = options.lookSoon && wantedMs !== undefined ? Math.min(wantedMs, soonMs) : wantedMs;
  const run = { ...next, dueAtMs };
  await deps.runs.commit(before, run, events);
  if (events.length > 0)
    deps.log.info('run changed', { runId: run.id, types: events.map((event) => event.type), status: run.status });
  return run;
}
