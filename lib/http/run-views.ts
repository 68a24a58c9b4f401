import type { RunPicture, Shown, StepPicture } from '../app/runs/picture.ts';
import { isBusy, isDone, isMapped, isOver, isSingle, type Run, type StepState } from '../domain/run.ts';
import type { WorkflowVersion } from '../domain/workflow.ts';
import type { RunStepView, RunSummary, RunView } from './schemas/run.ts';
import type { Workflow } from './schemas/workflow.ts';
import { parentView } from './views.ts';

/** How workflows and their runs look to a client. */

const time = (ms: number) => new Date(ms).toISOString();
const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : time(ms));

/** Makes a URL for a key of the bucket. */
type Presign = (key: string) => Promise<string>;

export function workflowView({ name, version, definition, createdMs }: WorkflowVersion): Workflow {
  return { name, version, ...definition, createdAt: time(createdMs) } as Workflow;
}

export function runSummaryView(run: Run): RunSummary {
  return {
    id: run.id,
    workflow: run.workflow,
    version: run.workflowVersion,
    status: run.status,
    statusReason: reasonOf(run),
    error: run.error ?? null,
    parent: run.parent === undefined ? null : parentView(run.parent),
    rerunOf: run.rerunOf ?? null,
    createdAt: time(run.createdMs),
    finishedAt: timeOrNull(run.finishedMs),
    deadlineAt: time(run.deadlineMs),
  };
}

function reasonOf(run: Run): string | null {
  if (isOver(run)) return null;
  const which = (is: (state: StepState) => boolean) =>
    Object.keys(run.steps)
      .filter((id) => is(run.steps[id]!))
      .join(', ');
  const busy = which(isBusy);
  if (!run.ending) {
    const waiting = which(({ status }) => status === 'waiting');
    const reasons = [busy && `runs ${busy}`, waiting && `waits for an answer to ${waiting}`];
    return reasons.filter(Boolean).join(', ') || null;
  }
  return `it will be ${run.ending.status}: waits for the proof that ${busy || 'nothing'} runs no more`;
}

export async function runView(picture: RunPicture, presign: Presign): Promise<RunView> {
  const steps = Object.entries(picture.steps).map(async ([id, step]) => [id, await stepView(step, presign)] as const);
  const input = await shownAs('input', picture.input, presign);
  const output = await shownAs('output', picture.output, presign);
  return {
    ...runSummaryView(picture.run),
    ...input,
    ...output,
    steps: Object.fromEntries(await Promise.all(steps)),
  } as RunView;
}

async function stepView({ state, taskIds, runIds, output }: StepPicture, presign: Presign): Promise<RunStepView> {
  const done = isDone(state) ? state : undefined;
  const waiting = state.status === 'waiting' ? state : undefined;
  return {
    status: state.status,
    statusReason: done?.reason ?? null,
    taskIds,
    runIds,
    agentId: (isSingle(state) ? state.agentId : done?.agentId) ?? null,
    items: isMapped(state)
      ? { total: state.total, started: state.next, succeeded: state.succeeded, failed: state.failed }
      : (done?.counts ?? null),
    prompt: waiting?.prompt ?? null,
    waitsUntil: timeOrNull(waiting?.untilMs),
    ...(await shownAs('output', output, presign)),
    error: (isMapped(state) ? state.error : done?.error) ?? null,
    startedAt: timeOrNull('startedMs' in state ? state.startedMs : undefined),
    finishedAt: timeOrNull(done?.finishedMs),
    copiedFrom: done?.copiedFrom ?? null,
  } as RunStepView;
}

async function shownAs(name: string, shown: Shown, presign: Presign): Promise<Record<string, unknown>> {
  if (shown === undefined) return { [name]: null };
  if ('value' in shown) return { [name]: shown.value };
  return { [name]: null, [`${name}Url`]: await presign(shown.key) };
}
