import { createHash } from 'node:crypto';
import { isRouseError } from '../../domain/errors.ts';
import { newUlid } from '../../domain/id.ts';
import { hasBuffer, type RunningFire, type Schedule, timingOf } from '../../domain/schedule.ts';
import { type Begun, confirm, advance as decide, decisionsPerLook, type Sight } from '../../domain/schedule-advance.ts';
import { occurrences } from '../../domain/schedule-expression.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { bySchedule, commitSchedule, settle } from './commit.ts';
import { clearAway, endedFires, stopReplaced } from './running.ts';
import { begin } from './start.ts';

/** Enough for the longest chain: what ended, what waited for that, its start; and for some chunks of a long list. */
const rounds = 8;

/**
 * Decides all that can be decided of a schedule now, and starts what follows: occurrences whose time has come, however
 * that got known, requests, backfills, what waited for an end. By several at once, conditional writes decide who does what.
 *
 * @returns the schedule as it is then
 */
export async function advance(deps: Deps, tenant: string, name: string, cause: string): Promise<Schedule | undefined> {
  let schedule = await deps.schedules.get(tenant, name);
  if (schedule) await settle(deps, schedule);
  const delayed: Delayed = new Map();
  for (let round = 0; round < rounds && schedule; round++) {
    try {
      const after: Schedule = await turn(deps, schedule, delayed, cause);
      if (after === schedule) break;
      schedule = after;
    } catch (error) {
      // Somebody else was faster; what is there now may want something else.
      if (!(error instanceof Conflict)) throw error;
      schedule = await deps.schedules.get(tenant, name);
      if (schedule) await settle(deps, schedule);
    }
  }
  for (const error of delayed.values()) if (!isRouseError(error)) throw error;
  return schedule;
}

/** Fires that could not start now, and why. The head is due in a minute for them. */
type Delayed = Map<number, unknown>;

/** One look and what follows from it. The same schedule when there was nothing to do. */
async function turn(deps: Deps, schedule: Schedule, delayed: Delayed, cause: string): Promise<Schedule> {
  const by = bySchedule(schedule.id, cause);
  const waiting = schedule.running.filter((fire) => !fire.begun && !delayed.has(fire.scheduledMs));
  if (waiting.length > 0) {
    const begun = await beginAll(deps, schedule, waiting, delayed, cause);
    if (begun.length > 0) return commitSchedule(deps, schedule, confirm(schedule, begun, deps.now()), by);
  }
  const sight = await look(deps, schedule);
  await clearAway(deps, schedule, sight.ended, cause);
  const decision = decide(schedule, sight);
  const isSame = decision.schedule === schedule;
  const after = isSame ? schedule : await commitSchedule(deps, schedule, decision, by);
  await stopReplaced(deps, after, cause);
  return after;
}

/** One that can't start now holds nothing else up: what has ended may be what it waits for. */
async function beginAll(
  deps: Deps,
  schedule: Schedule,
  fires: readonly RunningFire[],
  delayed: Delayed,
  cause: string,
): Promise<Begun[]> {
  const tries = await Promise.allSettled(fires.map((fire) => begin(deps, schedule, fire, cause)));
  return tries.flatMap((attempt, i) => {
    if (attempt.status === 'fulfilled') return attempt.value;
    const { scheduledMs } = fires[i]!;
    delayed.set(scheduledMs, attempt.reason);
    deps.log.warn('fire could not start yet', { schedule: schedule.id, scheduledMs, error: attempt.reason });
    return [];
  });
}

async function look(deps: Deps, schedule: Schedule): Promise<Sight> {
  const nowMs = deps.now();
  return {
    nowMs,
    ended: schedule.running.length > 0 ? await endedFires(deps, schedule) : [],
    firstBuffered: hasBuffer(schedule) ? await deps.schedules.firstBuffered(schedule) : undefined,
    backfill: await nextOfBackfill(deps, schedule),
    // Its time is that of the decision: a task's place in the queue comes from its id.
    seedOf: (scheduledMs) => newUlid(nowMs, (length) => bytesOf(`${schedule.seed}/${scheduledMs}`, length)),
  };
}

async function nextOfBackfill(deps: Deps, schedule: Schedule): Promise<Sight['backfill']> {
  const [backfill] = schedule.backfills;
  if (!backfill) return undefined;
  const found = occurrences(timingOf(schedule), backfill.doneMs, backfill.toMs, decisionsPerLook);
  const known = found.length === 0 ? [] : await deps.schedules.fires(schedule, found);
  // Each occurrence starts once, whatever asked for it.
  const taken = new Set(
    known.flatMap(({ outcome, scheduledMs }) => (['started', 'buffered'].includes(outcome) ? [scheduledMs] : [])),
  );
  const untilMs = found.length < decisionsPerLook ? backfill.toMs : found.at(-1)!;
  return { scheduledMs: found.filter((scheduledMs) => !taken.has(scheduledMs)), untilMs };
}

function bytesOf(text: string, length: number): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, length);
}
