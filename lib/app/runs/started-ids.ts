import { isDone, isMapped, isSingle, type Run, type StepState, stateOf } from '../../domain/run.ts';
import type { Step } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { childIdOf, itemIdentity, taskIdOf } from './identity.ts';
import { ItemReader } from './values.ts';

/** Ids of the tasks or sub-runs that a step has started, `most` of its first items at most. */
export async function startedIds(deps: Deps, run: Run, step: Step, most: number): Promise<string[]> {
  const state = stateOf(run, step.id);
  if (isSingle(state)) return [state.id];
  if (isDone(state) && state.id !== undefined) return [state.id];
  const items = isMapped(state) || isDone(state) ? state.items : undefined;
  if (!items || !('startedMs' in state) || state.startedMs === undefined) return [];
  const { startedMs } = state;
  // What a rerun took over was started by the run before it.
  const origin = isDone(state) && state.copiedFrom !== undefined ? { ...run, id: state.copiedFrom } : run;
  const reader = new ItemReader(deps, items);
  const ids = Array.from({ length: Math.min(startedItems(state), most) }, async (_, item) =>
    step.workflow !== undefined
      ? childIdOf(origin, step.id, startedMs, item)
      : taskIdOf(origin, step.id, startedMs, item, await itemIdentity(origin, step, startedMs, item, reader)),
  );
  return Promise.all(ids);
}

/** How many items of a forEach step have begun. */
export function startedItems(state: StepState): number {
  if (isMapped(state)) return state.next;
  return isDone(state) ? (state.counts?.started ?? 0) : 0;
}
