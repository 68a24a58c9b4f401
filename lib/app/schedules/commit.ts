import { notFound, RouseError } from '../../domain/errors.ts';
import type { Schedule, ScheduleDecision } from '../../domain/schedule.ts';
import { type Cause, carry, retried } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';

/** What happens at a schedule's own bidding. */
export function bySchedule(name: string, cause: string): Cause {
  return { actor: { type: 'schedule', id: name }, cause };
}

/** Commits a decision, and writes the rows that follow from it. */
export async function commitSchedule(
  deps: Deps,
  before: Schedule,
  { schedule, events }: ScheduleDecision,
  by: Cause,
): Promise<Schedule> {
  await deps.schedules.commit(before, schedule, carry(deps, events, by));
  if (events.length > 0) {
    const { id, status, statusReason } = schedule;
    deps.log.info('schedule changed', { schedule: id, types: events.map(({ type }) => type), status, statusReason });
  }
  if (schedule.unsettled !== before.unsettled) await settle(deps, schedule);
  return schedule;
}

/** Writes the rows that the last write of the head has decided. Safe to repeat; the next look does it before it decides more. */
export async function settle(deps: Deps, schedule: Schedule): Promise<void> {
  await Promise.all(schedule.unsettled.map((settlement) => deps.schedules.settle(schedule, settlement)));
}

/** @throws RouseError not_found */
export async function existingSchedule(deps: Deps, tenant: string, name: string): Promise<Schedule> {
  const schedule = await deps.schedules.get(tenant, name);
  if (!schedule || schedule.status === 'deleted') throw notFound('schedule', name);
  return schedule;
}

/** Loads a schedule, decides, commits; whoever loses a race decides again on what is there now. */
export async function changeSchedule(
  deps: Deps,
  tenant: string,
  name: string,
  by: Cause,
  decide: (schedule: Schedule) => ScheduleDecision,
): Promise<Schedule> {
  return orTellConflict(() =>
    retried(async () => {
      const schedule = await existingSchedule(deps, tenant, name);
      const decision = decide(schedule);
      return decision.schedule === schedule ? schedule : commitSchedule(deps, schedule, decision, by);
    }),
  );
}

export async function orTellConflict<T>(change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof Conflict) throw new RouseError('conflict', `${error.message} Try again.`, { cause: error });
    throw error;
  }
}
