import { invalid } from '../../domain/errors.ts';
import { scheduleHead } from '../../domain/head.ts';
import { timeOf } from '../../domain/id.ts';
import type { Fire, Overlap, Schedule, ScheduleDefinition, ScheduleTarget } from '../../domain/schedule.ts';
import { create, pause, redefine, remove, requestBackfill, requestFire, resume } from '../../domain/schedule-life.ts';
import { type Cause, carry, retried } from '../commit.ts';
import type { Deps } from '../deps.ts';
import type { Page } from '../ports.ts';
import { advance } from './advance.ts';
import { changeSchedule, commitSchedule, existingSchedule, orTellConflict, settle } from './commit.ts';

export interface PutSchedule {
  definition: ScheduleDefinition;
  enabled?: boolean | undefined;
  note?: string | undefined;
  ownerAgentId?: string | undefined;
}

/** Creates or changes a schedule. EventBridge Scheduler hears of it a moment later. */
export async function putSchedule(
  deps: Deps,
  tenant: string,
  name: string,
  seed: string,
  command: PutSchedule,
  by: Cause,
): Promise<{ schedule: Schedule; created: boolean }> {
  const { target } = command.definition;
  const present = await deps.schedules.get(tenant, name);
  if (!present || JSON.stringify(present.definition.target) !== JSON.stringify(target))
    await refuseMissing(deps, tenant, target);
  const put = await orTellConflict(() => retried(() => write(deps, tenant, name, seed, command, by)));
  await look(deps, tenant, name);
  return put;
}

async function write(deps: Deps, tenant: string, name: string, seed: string, command: PutSchedule, by: Cause) {
  const { definition, enabled, note, ownerAgentId } = command;
  const nowMs = deps.now();
  const before = await deps.schedules.get(tenant, name);
  if (before && before.status !== 'deleted') {
    const decision = redefine(before, { definition, enabled, note }, nowMs);
    const isSame = decision.schedule === before;
    return { schedule: isSame ? before : await commitSchedule(deps, before, decision, by), created: false };
  }
  const fresh = { tenant, name, seed, definition, enabled: enabled ?? true, note: note ?? '', ownerAgentId, nowMs };
  const { schedule, events } = create(fresh, before);
  await deps.schedules.create(schedule, before, carry(deps, events, by));
  return { schedule, created: true };
}

/** A target that can't be is better refused now than at night. */
async function refuseMissing(deps: Deps, tenant: string, target: ScheduleTarget): Promise<void> {
  if ('agentId' in target) {
    const agent = await deps.agents.get(tenant, target.agentId, { strong: true });
    const isGone = agent?.status === 'terminated' || agent?.goal === 'terminated';
    if (!agent || isGone)
      throw invalid(
        'target.agentId',
        `Received "${target.agentId}"; ${agent ? 'this agent is terminated' : 'there is no such agent'}.`,
      );
  } else if ('template' in target) {
    if (!(await deps.templates.get(tenant, target.template)))
      throw invalid('target.template', `Received "${target.template}"; there is no template with this name.`);
  } else if (!(await deps.workflows.get(tenant, target.workflow)))
    throw invalid('target.workflow', `Received "${target.workflow}"; there is no workflow with this name.`);
}

export function pauseSchedule(deps: Deps, tenant: string, name: string, note: string | undefined, by: Cause) {
  return thenLook(deps, tenant, name, by, (schedule) => pause(schedule, note, deps.now()));
}

export function resumeSchedule(deps: Deps, tenant: string, name: string, note: string | undefined, by: Cause) {
  return thenLook(deps, tenant, name, by, (schedule) => resume(schedule, note, deps.now()));
}

/** What it has started goes on; a fresh agent is still terminated when its task has ended. */
export async function deleteSchedule(deps: Deps, tenant: string, name: string, by: Cause): Promise<void> {
  const { ownerAgentId } = await thenLook(deps, tenant, name, by, (schedule) => remove(schedule, deps.now()));
  if (ownerAgentId !== undefined) await deps.schedules.removeOwned(tenant, ownerAgentId, name);
}

/** Fires now. The same seed fires once. @returns the fire as it was decided */
export async function triggerSchedule(
  deps: Deps,
  tenant: string,
  name: string,
  seed: string,
  overlap: Overlap | undefined,
  by: Cause,
): Promise<{ schedule: Schedule; fire: Fire }> {
  const before = await existingSchedule(deps, tenant, name);
  const decided = await decidedTrigger(deps, before, seed);
  if (decided) return { schedule: before, fire: decided };
  let scheduledMs = 0;
  await changeSchedule(deps, tenant, name, by, (schedule) => {
    const known = [...schedule.requests, ...schedule.running, ...(schedule.next ? [schedule.next] : [])];
    const mine = known.find(({ request }) => request === seed);
    scheduledMs = mine?.scheduledMs ?? freeMoment(timeOf(`_${seed}`), known);
    const fire = { scheduledMs, cause: 'trigger', request: seed, overlap, decidedMs: deps.now() } as const;
    return mine ? { schedule, events: [] } : requestFire(schedule, fire, deps.now());
  });
  await look(deps, tenant, name);
  await advance(deps, tenant, name, by.cause);
  const schedule = await existingSchedule(deps, tenant, name);
  const fire = await deps.schedules.fire(schedule, scheduledMs);
  if (!fire) throw new Error(`The fire of ${scheduledMs} of the schedule ${name} was not decided.`);
  return { schedule, fire };
}

/** Moments of triggers that may come in the same millisecond, besides that of a whole second. */
const sameMoment = 10;

/** The fire of a request that was decided before, though nothing of it may run or wait any more. */
async function decidedTrigger(deps: Deps, schedule: Schedule, seed: string): Promise<Fire | undefined> {
  await settle(deps, schedule);
  const fromMs = timeOf(`_${seed}`);
  const moments = Array.from({ length: sameMoment }, (_, i) => fromMs + i);
  return (await deps.schedules.fires(schedule, moments)).find(({ request }) => request === seed);
}

/** Occurrences are at whole seconds: a trigger never takes the place of one, nor of another trigger. */
function freeMoment(timeMs: number, taken: readonly { scheduledMs: number }[]): number {
  const isTaken = (moment: number) => moment % 1000 === 0 || taken.some(({ scheduledMs }) => scheduledMs === moment);
  let moment = timeMs;
  while (isTaken(moment)) moment += 1;
  return moment;
}

/** @throws RouseError invalid for a range that is not over */
export async function backfillSchedule(
  deps: Deps,
  tenant: string,
  name: string,
  seed: string,
  range: { fromMs: number; toMs: number; overlap?: Overlap | undefined },
  by: Cause,
): Promise<Schedule> {
  const { fromMs, toMs } = range;
  const nowMs = deps.now();
  if (toMs > nowMs)
    throw invalid(
      'to',
      `Received ${iso(toMs)}; a time up to now (${iso(nowMs)}) is allowed. What is to come fires by itself.`,
    );
  return thenLook(deps, tenant, name, by, (schedule) => {
    const overlap = range.overlap ?? schedule.definition.overlap;
    return requestBackfill(schedule, { id: seed, fromMs, toMs, doneMs: fromMs - 1, overlap }, deps.now());
  });
}

export async function listFires(
  deps: Deps,
  tenant: string,
  name: string,
  limit: number,
  before: string | undefined,
): Promise<Page<Fire>> {
  const schedule = await existingSchedule(deps, tenant, name);
  return deps.schedules.pageOfFires(schedule, limit, before === undefined ? undefined : Number(before));
}

async function thenLook(
  deps: Deps,
  tenant: string,
  name: string,
  by: Cause,
  decide: Parameters<typeof changeSchedule>[4],
): Promise<Schedule> {
  const schedule = await changeSchedule(deps, tenant, name, by, decide);
  await look(deps, tenant, name);
  return schedule;
}

function look(deps: Deps, tenant: string, name: string): Promise<void> {
  return deps.queues.nudge([scheduleHead(tenant, name)]);
}

const iso = (timeMs: number) => new Date(timeMs).toISOString();
