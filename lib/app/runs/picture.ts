import { isDone, type Run, type StepState, stateOf, type ValueRef } from '../../domain/run.ts';
import type { Deps } from '../deps.ts';
import { getTask, maxInlineBytes } from '../tasks.ts';
import { versionOf } from './commands.ts';
import { startedIds } from './started-ids.ts';
import { readValue } from './values.ts';

/** A value as it can be shown: itself, or the key of the object that it is in, or neither if there was no room for it. */
export type Shown = { value: unknown } | { key: string } | undefined;

export interface StepPicture {
  state: StepState;
  taskIds: string[];
  runIds: string[];
  output: Shown;
}

/** A run with everything that a reader wants to know of it. */
export interface RunPicture {
  run: Run;
  input: Shown;
  output: Shown;
  steps: Record<string, StepPicture>;
}

/** Items whose ids are shown. */
const idsShown = 100;
/** Values that one answer shows itself, together: an answer of a function may have 6 MB (aws-facts 5). */
const shownBytes = 2 * 1024 * 1024;

export async function pictureOf(deps: Deps, run: Run): Promise<RunPicture> {
  const { definition } = await versionOf(deps, run);
  const room = { bytes: shownBytes };
  const steps: Record<string, StepPicture> = {};
  for (const step of definition.steps) {
    const state = stateOf(run, step.id);
    const output = isDone(state) && state.output ? await shown(deps, run, state.output, room) : undefined;
    const ids = await startedIds(deps, run, step, idsShown);
    const isOfRuns = step.workflow !== undefined;
    steps[step.id] = { state, output, taskIds: isOfRuns ? [] : ids, runIds: isOfRuns ? ids : [] };
  }
  return {
    run,
    input: await shown(deps, run, run.input, room),
    output: run.output && (await shown(deps, run, run.output, room)),
    steps,
  };
}

async function shown(deps: Deps, run: Run, ref: ValueRef, room: { bytes: number }): Promise<Shown> {
  if ('runId' in ref) {
    const child = await deps.runs.get(run.tenant, ref.runId);
    return child?.output ? shown(deps, child, child.output, room) : { value: null };
  }
  if ('taskId' in ref) {
    const { record } = await getTask(deps, run.tenant, ref.taskId);
    if (record.outputKey !== undefined) return { key: record.outputKey };
  }
  if ('key' in ref && ref.bytes > maxInlineBytes) return { key: ref.key };
  const value = await readValue(deps, run.tenant, ref);
  room.bytes -= Buffer.byteLength(JSON.stringify(value) ?? '');
  if (room.bytes >= 0) return { value };
  return 'key' in ref ? { key: ref.key } : undefined;
}
