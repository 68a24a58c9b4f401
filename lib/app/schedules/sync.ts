import type { Schedule } from '../../domain/schedule.ts';
import { timingOf, upcoming } from '../../domain/schedule.ts';
import { nextOccurrence, parseScheduleExpression } from '../../domain/schedule-expression.ts';
import { synced } from '../../domain/schedule-life.ts';
import type { Deps } from '../deps.ts';
import { bySchedule, commitSchedule } from './commit.ts';
import type { Alarm } from './ports.ts';

/**
 * Gives EventBridge Scheduler what the schedule's head says. It is only an alarm clock: while it has something else, or
 * nothing, occurrences are found by their due time, about two minutes late.
 */
export async function sync(deps: Deps, schedule: Schedule, cause: string): Promise<void> {
  if (!schedule.unsynced) return;
  const { tenant, id: name } = schedule;
  const wanted = alarmOf(schedule, deps.now());
  if (wanted) {
    const present = await deps.alarms.get(tenant, name);
    if (!present || !isRight(present, schedule, wanted)) await deps.alarms.put(wanted);
  } else await deps.alarms.remove(tenant, name);
  await commitSchedule(deps, schedule, synced(schedule, deps.now()), bySchedule(name, cause));
}

/** What EventBridge Scheduler should have, or undefined if nothing. */
export function alarmOf(schedule: Schedule, nowMs: number): Alarm | undefined {
  if (upcoming(schedule) === undefined) return undefined;
  const { expression, timezone, startMs, endMs } = schedule.definition;
  const alarm = { tenant: schedule.tenant, schedule: schedule.id, expression, timezone, endMs };
  if (parseScheduleExpression(expression).kind === 'rate')
    // A rate counts from its start, which may not lie in the past: its next occurrence is as good as its first.
    return { ...alarm, startMs: nextOccurrence(timingOf(schedule), nowMs) };
  return { ...alarm, startMs: startMs !== undefined && startMs > nowMs ? startMs : undefined };
}

/** Whether what is there fires at the right times. Where a rate began to count, or that another has started, is history. */
export function isRight(present: Alarm & { intact: boolean }, schedule: Schedule, wanted: Alarm): boolean {
  const isSame =
    present.intact &&
    present.expression === wanted.expression &&
    present.timezone === wanted.timezone &&
    present.endMs === wanted.endMs;
  if (!isSame) return false;
  if (wanted.startMs === undefined || present.startMs === wanted.startMs) return true;
  const { startMs } = present;
  return startMs !== undefined && startMs < wanted.startMs && isOccurrence(schedule, startMs);
}

function isOccurrence(schedule: Schedule, timeMs: number): boolean {
  return (
    parseScheduleExpression(schedule.definition.expression).kind === 'rate' &&
    nextOccurrence(timingOf(schedule), timeMs - 1) === timeMs
  );
}
