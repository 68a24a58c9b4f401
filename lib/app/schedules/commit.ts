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
    const types = events.map(({ type }) => type);
    deps.log.info('schedule changed', { schedule: id, types, status, statusReason });
    countFires(deps, id, types);
  }
  if (schedule.unsettled !== before.unsettled) await settle(deps, schedule);
  return schedule;
}

/** Fires that did not happen, by the names of their metrics. */
const counted: Record<string, string> = {
  'schedule.skipped': 'FiresSkipped',
  'schedule.missed': 'FiresMissed',
  'schedule.failed': 'FiresFailed',
};

/** What did not happen is worth an alarm, so a metric counts it. */
function countFires(deps: Deps, schedule: string, types: readonly string[]): void {
  const counts: Record<string, number> = {};
  for (const type of types) {
    const metric = counted[type];
    if (metric) counts[metric] = (counts[metric] ?? 0) + 1;
  }
  if (Object.keys(counts).length > 0) deps.log.count(counts, deps.config.stack, { schedule });
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
