import type { Agent } from '../../domain/agent.ts';
import {
  type CancellingTask,
  cancelled,
  isClaimable,
  isFinished,
  isHeld,
  type LiveTask,
  lose,
  type RunningTask,
  wakesNobody,
} from '../../domain/task.ts';
import { expireTask } from '../claim.ts';
import { type Cause, commitTask } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { knownDeath } from './probe.ts';
import { earliest, type QueueView } from './step.ts';

/** One look reads this many live rows at most. Held tasks are near the front, where they were claimed from. */
const rowsPerLook = 500;
/** What lies beyond is looked at again after this long. */
const beyondMs = 300_000;

/**
 * Reads an agent's queue, and on the way finishes what others have left: ended tasks that are not settled, tasks whose
 * time to start is over, tasks whose runtime is known to be gone, and all tasks of an agent that is terminated.
 */
export async function viewQueue(deps: Deps, agent: Agent, by: Cause): Promise<QueueView> {
  const nowMs = deps.now();
  const view: QueueView = {
    ready: undefined,
    nextMs: undefined,
    expiryMs: undefined,
    held: [],
    any: false,
    changed: false,
  };
  let rows = 0;
  for await (const tasks of deps.tasks.queue(agent.tenant, agent.id, 100)) {
    for (const task of tasks) await take(deps, agent, task, view, nowMs, by);
    rows += tasks.length;
    if (rows >= rowsPerLook) {
      // A place in the future is the earliest time at which anything beyond it may start.
      const placeMs = tasks.at(-1)?.place ?? 0;
      view.nextMs = earliest(view.nextMs, placeMs > nowMs ? placeMs : nowMs + beyondMs);
      break;
    }
  }
  return view;
}

async function take(
  deps: Deps,
  agent: Agent,
  task: LiveTask,
  view: QueueView,
  nowMs: number,
  by: Cause,
): Promise<void> {
  if (isFinished(task)) return deps.tasks.settle(task);
  if (isHeld(task)) {
    view.any = true;
    if (!isGone(agent, task.runtimeId)) view.held.push(task);
    else {
      await takeBack(deps, task, by);
      view.changed = true;
    }
    return;
  }
  if (agent.status === 'terminated') return endWithAgent(deps, task, by);
  if (task.expiresMs !== undefined && task.expiresMs <= nowMs) return expireTask(deps, task, by);
  view.any = true;
  view.expiryMs = earliest(view.expiryMs, task.expiresMs);
  const isReason = agent.status !== 'paused' || !wakesNobody(task);
  if (isClaimable(task, nowMs) && isReason) view.ready ??= task;
  view.nextMs = earliest(view.nextMs, task.notBeforeMs > nowMs ? task.notBeforeMs : undefined, task.expiresMs);
}

/** Its runtime is known to be dead; the runtime's row tells how. */
async function takeBack(deps: Deps, task: RunningTask | CancellingTask, by: Cause): Promise<void> {
  const runtime = await deps.runtimes.get(task.tenant, task.runtimeId);
  const proof = knownDeath(runtime) ?? `its runtime ${task.runtimeId} is gone`;
  try {
    const after = await commitTask(deps, task, lose(task, proof, deps.now()), by);
    if (isFinished(after)) await deps.tasks.settle(after);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
  }
}

/** A runtime is gone when the head neither has it nor still waits for its death. */
function isGone(agent: Agent, runtimeId: string): boolean {
  return agent.runtimeId !== runtimeId && !agent.retired.some((runtime) => runtime.id === runtimeId);
}

async function endWithAgent(deps: Deps, task: Extract<LiveTask, { status: 'queued' }>, by: Cause): Promise<void> {
  try {
    await deps.tasks.settle(await commitTask(deps, task, cancelled(task, 'its agent is terminated', deps.now()), by));
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
  }
}
