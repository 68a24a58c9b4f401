import type { EventDraft } from './event.ts';
import { deliveryGraceMs, mayBackfill, type Schedule, type ScheduleDecision, upcoming } from './schedule.ts';

/** What was begun and not confirmed is looked at again after this long. */
const unfinishedMs = 60_000;
/** A fire whose end nobody told is looked at this often: while another waits for it, or something has to be cleared away. */
const awaitedMs = 300_000;
const unawaitedMs = 3_600_000;
/** A backfill that can go on is looked at again at once. */
const backfillMs = 1000;

/** A new state with its version and due time. */
export function committed(
  before: Schedule,
  change: Partial<Schedule>,
  nowMs: number,
  ...events: EventDraft[]
): ScheduleDecision {
  const schedule = { ...before, ...change, version: before.version + 1, updatedMs: nowMs };
  return { schedule: { ...schedule, dueAtMs: dueAtOf(schedule, nowMs) }, events };
}

function dueAtOf(schedule: Schedule, nowMs: number): number | undefined {
  const times: number[] = [];
  const isUnfinished = schedule.unsynced || schedule.requests.length > 0 || schedule.running.some((one) => !one.begun);
  if (isUnfinished) times.push(nowMs + unfinishedMs);
  const next = upcoming(schedule);
  // Without jitter EventBridge Scheduler tells in time, and only what it loses is found by this.
  if (next) times.push(next.readyMs + (next.readyMs > next.scheduledMs ? 0 : deliveryGraceMs));
  if (schedule.running.length > 0) {
    const isAwaited = schedule.next !== undefined || schedule.running.some((one) => one.fresh || one.stop);
    times.push(nowMs + (isAwaited || schedule.backfills.length > 0 ? awaitedMs : unawaitedMs));
  }
  if (mayBackfill(schedule)) times.push(nowMs + backfillMs);
  return times.length === 0 ? undefined : Math.min(...times);
}
