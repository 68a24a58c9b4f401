import { brief, isRouseError } from '../../domain/errors.ts';
import type { FireResult, RunningFire, Schedule } from '../../domain/schedule.ts';
import { isFinished } from '../../domain/task.ts';
import { terminateAgent } from '../agents.ts';
import type { Deps } from '../deps.ts';
import { cancelRun } from '../runs/commands.ts';
import { cancelTask, getTask } from '../tasks.ts';
import { bySchedule } from './commit.ts';

/** What has become of what a schedule's fires have started. */

export type EndedFire = FireResult & { scheduledMs: number };

/** Fires that have ended: one look at the live rows of all that run, and at the record of each that has ended. */
export async function endedFires(deps: Deps, schedule: Schedule): Promise<EndedFire[]> {
  const { tenant } = schedule;
  const tasks = schedule.running.filter((fire) => fire.begun && fire.taskId !== undefined);
  const unfinished = new Set(
    (
      await deps.tasks.lives(
        tenant,
        tasks.map(({ agentId = '', place = 0, taskId = '' }) => ({ agentId, place, id: taskId })),
      )
    ).flatMap((live) => (isFinished(live) ? [] : [live.id])),
  );
  const over = tasks.filter(({ taskId = '' }) => !unfinished.has(taskId));
  const runs = schedule.running.filter((fire) => fire.begun && fire.runId !== undefined);
  const ended = await Promise.all([
    ...over.map((fire) => endOf(deps, schedule, fire)),
    ...runs.map((fire) => endOfRun(deps, schedule, fire)),
  ]);
  return ended.filter((end) => end !== undefined);
}

async function endOfRun(deps: Deps, { tenant }: Schedule, fire: RunningFire): Promise<EndedFire | undefined> {
  const run = await deps.runs.get(tenant, fire.runId ?? '');
  if (!run) return vanished(fire, `The run ${fire.runId} is not there any more.`, deps.now());
  if (run.status === 'running') return undefined;
  const { status, finishedMs = deps.now(), error } = run;
  const told = error ? { error: { code: error.code, message: error.message } } : {};
  return { scheduledMs: fire.scheduledMs, status, finishedMs, ...told };
}

function vanished({ scheduledMs }: RunningFire, message: string, finishedMs: number): EndedFire {
  return { scheduledMs, status: 'failed', finishedMs, error: { code: 'not_found', message } };
}

async function endOf(deps: Deps, { tenant }: Schedule, fire: RunningFire): Promise<EndedFire | undefined> {
  const { scheduledMs, taskId = '' } = fire;
  try {
    const { record } = await getTask(deps, tenant, taskId);
    const { status, finishedMs = deps.now(), error } = record;
    return status && { scheduledMs, status, finishedMs, error: error && brief(error) };
  } catch (error) {
    if (!isRouseError(error, 'not_found')) throw error;
    return vanished(fire, `The task ${taskId} is not there any more.`, deps.now());
  }
}

/** Terminates the agents that were made for fires that are over. Before that is committed: nobody would know of them. */
export async function clearAway(
  deps: Deps,
  schedule: Schedule,
  ended: readonly { scheduledMs: number }[],
  cause: string,
): Promise<void> {
  for (const { scheduledMs } of ended) {
    const fire = schedule.running.find((one) => one.scheduledMs === scheduledMs);
    if (!fire?.fresh || fire.agentId === undefined) continue;
    await ignoring(['not_found'], terminateAgent(deps, schedule.tenant, fire.agentId, bySchedule(schedule.id, cause)));
  }
}

/** Asks what runs to end, for one that takes its place. That it has ended is seen by a later look. */
export async function stopReplaced(deps: Deps, schedule: Schedule, cause: string): Promise<void> {
  const by = bySchedule(schedule.id, cause);
  const { tenant } = schedule;
  // One that has ended by itself meanwhile is seen by the next look.
  const gone = ['illegal_transition', 'not_found'] as const;
  for (const { begun, stop, taskId, runId } of schedule.running) {
    if (!begun || stop === undefined) continue;
    const how = { force: stop === 'kill' };
    if (taskId !== undefined) await ignoring(gone, cancelTask(deps, tenant, taskId, by, how));
    if (runId !== undefined) await ignoring(gone, cancelRun(deps, tenant, runId, by, how));
  }
}

async function ignoring(codes: readonly Parameters<typeof isRouseError>[1][], action: Promise<unknown>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (!codes.some((code) => isRouseError(error, code))) throw error;
  }
}
