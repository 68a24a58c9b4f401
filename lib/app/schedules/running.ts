import { isRouseError } from '../../domain/errors.ts';
import type { FireResult, RunningFire, Schedule } from '../../domain/schedule.ts';
import { isFinished } from '../../domain/task.ts';
import { terminateAgent } from '../agents.ts';
import type { Deps } from '../deps.ts';
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
  const ended = await Promise.all(over.map((fire) => endOf(deps, schedule, fire)));
  return ended.filter((end) => end !== undefined);
}

async function endOf(deps: Deps, { tenant }: Schedule, fire: RunningFire): Promise<EndedFire | undefined> {
  const { scheduledMs, taskId = '' } = fire;
  try {
    const { record } = await getTask(deps, tenant, taskId);
    const { status, finishedMs = deps.now(), error } = record;
    return status && { scheduledMs, status, finishedMs, error };
  } catch (error) {
    if (!isRouseError(error, 'not_found')) throw error;
    const message = `The task ${taskId} is not there any more.`;
    return { scheduledMs, status: 'failed', finishedMs: deps.now(), error: { code: 'not_found', message } };
  }
}

/** Terminates the agents that were made for fires that have ended. Before that is committed: nobody would know of them. */
export async function clearAway(
  deps: Deps,
  schedule: Schedule,
  ended: readonly EndedFire[],
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
  for (const { begun, stop, taskId } of schedule.running) {
    if (!begun || stop === undefined || taskId === undefined) continue;
    // One that has ended by itself meanwhile is seen by the next look.
    await ignoring(
      ['illegal_transition', 'not_found'],
      cancelTask(deps, schedule.tenant, taskId, by, { force: stop === 'kill' }),
    );
  }
}

async function ignoring(codes: Parameters<typeof isRouseError>[1][], action: Promise<unknown>): Promise<void> {
  try {
    await action;
  } catch (error) {
    if (!codes.some((code) => isRouseError(error, code))) throw error;
  }
}
