import { isRouseError } from '../../domain/errors.ts';
import { type Completion, isMapped, isSingle, type Run, type RunEffect, stateOf } from '../../domain/run.ts';
import { finalStatuses } from '../../domain/task.ts';
import { type Definition, stepOf } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import type { TaskRecord } from '../ports.ts';
import { getTask } from '../tasks.ts';
import type { RunActor } from './act.ts';

/** What one look asks for at most; the rest is the next look's. */
const perLook = 300;
const parallel = 10;
/** Three times what a function may take: whoever committed so long ago acts no more. */
const actingMs = 30_000;

export interface Checked {
  /** Ends that nobody told of: word of them got lost. */
  ends: Completion[];
  /** What was decided and never happened, or is to be asked to end once more. */
  effects: RunEffect[];
  /** How many have been seen so far; undefined when all have. */
  seen: number | undefined;
}

/**
 * Asks what a run has under way for its state. It is the backstop for every message that got lost and every look that
 * died between its commit and its acts; runs that move on never need it.
 */
export async function checkUnderWay(deps: Deps, run: Run, definition: Definition, actor: RunActor): Promise<Checked> {
  const all = underWay(run, definition);
  const from = run.checked ?? 0;
  const now = all.slice(from, from + perLook);
  const canBeMissed = deps.now() - run.movedMs >= actingMs;
  const found = await inParallel(now, parallel, async ({ step, item }): Promise<Omit<Checked, 'seen'>> => {
    const { id, agentId } = await actor.thingOf(step, item);
    const end = agentId === undefined ? await endOfRun(deps, run, id) : await endOfTask(deps, run, id);
    if (end === 'missing') {
      if (!run.ending) return { ends: [], effects: [{ type: 'start', step, item }] };
      // It was never started, and an ending run starts nothing: but a look that began before the end may still act.
      return { ends: canBeMissed ? [{ step, item, id, status: 'cancelled' }] : [], effects: [] };
    }
    if (end !== undefined) return { ends: [{ step, item, id, ...end }], effects: [] };
    return { ends: [], effects: run.ending ? [{ type: 'end', step, item }] : [] };
  });
  const seen = from + now.length;
  return {
    ends: found.flatMap(({ ends }) => ends),
    effects: found.flatMap(({ effects }) => effects),
    seen: seen < all.length ? seen : undefined,
  };
}

function underWay(run: Run, definition: Definition): { step: string; item?: number }[] {
  return definition.steps.flatMap(({ id }): { step: string; item?: number }[] => {
    const state = stateOf(run, id);
    if (isSingle(state)) return [{ step: id }];
    return isMapped(state) ? state.active.map((item) => ({ step: id, item })) : [];
  });
}

type End = Pick<Completion, 'status' | 'error'> | 'missing' | undefined;

async function endOfTask(deps: Deps, run: Run, id: string): Promise<End> {
  try {
    const { record, live } = await getTask(deps, run.tenant, id);
    return live ? undefined : endIn(record);
  } catch (error) {
    if (isRouseError(error, 'not_found')) return 'missing';
    throw error;
  }
}

async function endOfRun(deps: Deps, run: Run, id: string): Promise<End> {
  const child = await deps.runs.get(run.tenant, id);
  if (!child) return 'missing';
  return child.status === 'running' ? undefined : { status: child.status, error: child.error };
}

function endIn({ status, error }: TaskRecord): End {
  return status && (finalStatuses as readonly string[]).includes(status) ? { status, error } : undefined;
}

/** The errors of what has failed, which word of an end does not carry. */
export async function withErrors(
  deps: Deps,
  run: Run,
  definition: Definition,
  ends: Completion[],
): Promise<Completion[]> {
  return inParallel(ends, parallel, async (end) => {
    if (end.status === 'succeeded' || end.error) return end;
    const step = definition.steps.find((one) => one.id === end.step);
    if (!step) return end;
    const known =
      stepOf(definition, end.step).workflow === undefined
        ? await endOfTask(deps, run, end.id)
        : await endOfRun(deps, run, end.id);
    return known === undefined || known === 'missing' ? end : { ...end, error: known.error };
  });
}
