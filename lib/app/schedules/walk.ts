import { scheduleHead } from '../../domain/head.ts';
import { suspect } from '../../domain/schedule-life.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { bySchedule, commitSchedule } from './commit.ts';
import type { Alarm } from './ports.ts';
import { alarmOf, isRight } from './sync.ts';

/** Schedules of EventBridge Scheduler that one walk looks at; the next walk goes on from there. */
const perWalk = 100;

/**
 * Compares some of what EventBridge Scheduler has with what it should have, and has the schedules looked at that differ:
 * nobody's, or somebody has changed it. What is missing there is found when it does not come.
 *
 * @returns how many differ
 */
export async function walkAlarms(deps: Deps): Promise<number> {
  const position = await deps.schedules.walked();
  const { items, next } = await deps.alarms.page(position, perWalk);
  if (next !== position) await deps.schedules.setWalked(next);
  let count = 0;
  for (const alarm of items) {
    if (await isAsItShould(deps, alarm)) continue;
    count += 1;
    await deps.queues.nudge([scheduleHead(alarm.tenant, alarm.schedule)]);
  }
  return count;
}

async function isAsItShould(deps: Deps, alarm: Alarm & { intact: boolean }): Promise<boolean> {
  const { tenant, schedule: name } = alarm;
  const schedule = await deps.schedules.get(tenant, name);
  if (!schedule) return false;
  // It is about to be written anyway.
  if (schedule.unsynced) return true;
  const nowMs = deps.now();
  const wanted = alarmOf(schedule, nowMs);
  if (wanted && isRight(alarm, schedule, wanted)) return true;
  try {
    await commitSchedule(deps, schedule, suspect(schedule, nowMs), bySchedule(name, 'walk'));
  } catch (error) {
    // It has just changed; the next walk sees what came of it.
    if (!(error instanceof Conflict)) throw error;
  }
  return false;
}
