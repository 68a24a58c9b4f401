import { notFound, RouseError } from '../../domain/errors.ts';
import type { Schedule } from '../../domain/schedule.ts';
import { enrolledAgent, type RuntimeIdentity } from '../claim.ts';
import type { Cause } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { deleteSchedule, type PutSchedule, putSchedule } from './schedules.ts';

/** Schedules that an agent makes for itself, under names of its own: it reaches no others. */

/** A program that runs wild makes no more than these. */
const maxOwned = 100;

/** The name that everybody else knows it by. */
export function fullName(agentId: string, name: string): string {
  return `${agentId.toLowerCase().replace('_', '-')}-${name}`;
}

/** The name that its agent knows it by. */
export function ownName(agentId: string, { id }: Schedule): string {
  return id.slice(fullName(agentId, '').length);
}

export async function putOwnSchedule(
  deps: Deps,
  me: RuntimeIdentity,
  name: string,
  seed: string,
  command: PutSchedule,
  by: Cause,
): Promise<{ schedule: Schedule; created: boolean }> {
  await enrolledAgent(deps, me);
  const full = fullName(me.agentId, name);
  const present = await deps.schedules.get(me.tenant, full);
  if (present && present.status !== 'deleted' && !isOwn(present, me))
    throw new RouseError(
      'conflict',
      `Received "${name}"; the schedule ${full} was not made by this agent. Choose another name.`,
    );
  const others = (await ownSchedules(deps, me)).filter(({ id }) => id !== full);
  if (others.length >= maxOwned) {
    // Those whose time is over make room.
    const completed = others.filter(({ status }) => status === 'completed');
    if (completed.length === 0)
      throw new RouseError('conflict', `The agent has ${maxOwned} schedules, the most that it may make. Delete some.`);
    for (const { id } of completed) await deleteSchedule(deps, me.tenant, id, by);
  }
  // Before the schedule itself: what an agent has made is always found.
  await deps.schedules.addOwned(me.tenant, me.agentId, full);
  try {
    return await putSchedule(deps, me.tenant, full, seed, { ...command, ownerAgentId: me.agentId }, by);
  } catch (error) {
    // What was refused must not count.
    if (!(await deps.schedules.get(me.tenant, full))) await deps.schedules.removeOwned(me.tenant, me.agentId, full);
    throw error;
  }
}

function isOwn(schedule: Schedule, me: RuntimeIdentity): boolean {
  return schedule.ownerAgentId === me.agentId;
}

export async function listOwnSchedules(deps: Deps, me: RuntimeIdentity): Promise<Schedule[]> {
  await enrolledAgent(deps, me);
  return ownSchedules(deps, me);
}

async function ownSchedules(deps: Deps, me: RuntimeIdentity): Promise<Schedule[]> {
  const names = await deps.schedules.owned(me.tenant, me.agentId, 2 * maxOwned);
  const found = await Promise.all(names.map((name) => deps.schedules.get(me.tenant, name)));
  return found.filter(
    (schedule): schedule is Schedule => schedule !== undefined && schedule.status !== 'deleted' && isOwn(schedule, me),
  );
}

export async function deleteOwnSchedule(deps: Deps, me: RuntimeIdentity, name: string, by: Cause): Promise<void> {
  await enrolledAgent(deps, me);
  const full = fullName(me.agentId, name);
  const schedule = await deps.schedules.get(me.tenant, full);
  if (!schedule || !isOwn(schedule, me)) throw notFound('schedule', name);
  if (schedule.status !== 'deleted') await deleteSchedule(deps, me.tenant, full, by);
  await deps.schedules.removeOwned(me.tenant, me.agentId, full);
}
