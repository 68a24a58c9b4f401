import { scheduleHead } from '../../domain/head.ts';
import { mayBackfill, type Schedule, upcoming } from '../../domain/schedule.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { advance } from './advance.ts';
import { sync } from './sync.ts';

/** More to decide than one look takes: the next look follows after this long. */
const againMs = 1000;
/** A look so much too early waits for its occurrence: clocks differ. */
const earlyMs = 10_000;

/** Looks at a schedule: decides what is to be decided, and gives EventBridge Scheduler what it should have. */
export async function reconcileSchedule(deps: Deps, tenant: string, name: string, cause: string): Promise<void> {
  const schedule = await advance(deps, tenant, name, cause);
  if (!schedule) return deps.alarms.remove(tenant, name);
  if (schedule.status === 'deleted') await deps.schedules.clearBuffer(schedule);
  await deps.queues.nudgeAt(scheduleHead(tenant, name), nextLookMs(schedule, deps.now()), deps.now());
  try {
    await sync(deps, schedule, cause);
  } catch (error) {
    if (error instanceof Conflict) return;
    // Throttled, most likely. The head is due in a minute, and nothing is late because of it.
    deps.log.error('schedule not written to EventBridge Scheduler', { schedule: name, error });
  }
}

/** When to look again to the second; infinite if the due time is soon enough. */
function nextLookMs(schedule: Schedule, nowMs: number): number {
  const next = upcoming(schedule);
  if (next && next.scheduledMs <= nowMs + earlyMs) return Math.max(next.readyMs, nowMs + againMs);
  return mayBackfill(schedule) ? nowMs + againMs : Number.POSITIVE_INFINITY;
}
