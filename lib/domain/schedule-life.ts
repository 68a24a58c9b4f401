import { illegalTransition, invalid, RouseError } from './errors.ts';
import type { EventDraft } from './event.ts';
import {
  type Backfill,
  deliveryGraceMs,
  type PlannedFire,
  type Schedule,
  type ScheduleDecision,
  type ScheduleDefinition,
  timingOf,
  undecided,
} from './schedule.ts';
import { committed } from './schedule-due.ts';
import { nextOccurrence, occurrences } from './schedule-expression.ts';

/** What clients do to a schedule. */

/** Requests and backfills that may wait at once. */
const maxRequests = 20;
const maxBackfills = 10;
/** Occurrences of one backfill: each is a fire of its own. */
const maxBackfilled = 1000;

export interface NewSchedule {
  tenant: string;
  name: string;
  seed: string;
  definition: ScheduleDefinition;
  enabled: boolean;
  note: string;
  ownerAgentId?: string | undefined;
  nowMs: number;
}

/** @param before what is left of one with the same name that was deleted */
export function create(command: NewSchedule, before?: Schedule): ScheduleDecision {
  const { tenant, name, seed, definition, enabled, note, ownerAgentId, nowMs } = command;
  const schedule: Schedule = {
    id: name,
    tenant,
    seed,
    version: before?.version ?? 0,
    definition,
    anchorMs: anchorOf(definition, nowMs),
    ownerAgentId,
    status: enabled ? 'active' : 'paused',
    statusSinceMs: nowMs,
    note,
    decidedMs: nowMs,
    requests: [],
    running: before?.running ?? [],
    buffer: { given: before?.buffer.given ?? 0, taken: before?.buffer.given ?? 0 },
    backfills: [],
    unsettled: [],
    unsynced: true,
    createdMs: nowMs,
    updatedMs: nowMs,
  };
  refuseNever(schedule, nowMs);
  const { expression, timezone } = definition;
  return committed(schedule, {}, nowMs, { type: 'schedule.created', data: { expression, timezone, enabled } });
}

export interface ScheduleChange {
  definition: ScheduleDefinition;
  /** Left as it is unless given. */
  enabled?: boolean | undefined;
  note?: string | undefined;
}

/** Another definition. What ran before goes on; another time counts from now. */
export function redefine(schedule: Schedule, change: ScheduleChange, nowMs: number): ScheduleDecision {
  const { definition } = change;
  const note = change.note ?? schedule.note;
  const fields = fieldsThatDiffer(schedule.definition, definition);
  const enabled = change.enabled ?? schedule.status !== 'paused';
  const toggled = enabled === (schedule.status === 'paused');
  if (fields.length === 0 && note === schedule.note && !toggled) return { schedule, events: [] };

  const isMoved = ['expression', 'timezone', 'startMs', 'endMs'].some((field) => fields.includes(field));
  const isAnchored = fields.includes('expression') || fields.includes('startMs');
  const after: Schedule = {
    ...schedule,
    definition,
    note,
    anchorMs: isAnchored ? anchorOf(definition, nowMs) : schedule.anchorMs,
    decidedMs: isMoved ? Math.max(schedule.decidedMs, nowMs) : schedule.decidedMs,
    requests: isMoved ? [...schedule.requests, ...dueNow(schedule, nowMs)] : schedule.requests,
    unsynced: schedule.unsynced || isMoved || toggled,
  };
  if (isMoved) refuseNever(after, nowMs);
  const status = isMoved && after.status === 'completed' ? statusOf('active', nowMs) : {};
  const events: EventDraft[] = [{ type: 'schedule.updated', data: { fields: changedNames(fields, note, schedule) } }];
  if (!toggled) return committed(after, status, nowMs, ...events);
  const toggle = enabled ? resumed(nowMs) : paused(undefined, nowMs);
  const type = enabled ? 'schedule.resumed' : 'schedule.paused';
  return committed(after, toggle, nowMs, ...events, { type, data: { note } });
}

/** Nothing fires by its time any more; what runs goes on, and what waits waits. */
export function pause(schedule: Schedule, note: string | undefined, nowMs: number): ScheduleDecision {
  require(schedule, 'pause', ['active', 'paused']);
  const kept = note ?? schedule.note;
  if (schedule.status === 'paused' && kept === schedule.note) return { schedule, events: [] };
  const change = schedule.status === 'paused' ? {} : paused(undefined, nowMs);
  return committed({ ...schedule, note: kept, unsynced: true }, change, nowMs, {
    type: 'schedule.paused',
    data: { note: kept },
  });
}

/** What would have fired meanwhile is not made up for: a backfill does that. */
export function resume(schedule: Schedule, note: string | undefined, nowMs: number): ScheduleDecision {
  require(schedule, 'resume', ['active', 'paused']);
  if (schedule.status === 'active') return { schedule, events: [] };
  const kept = note ?? schedule.note;
  return committed({ ...schedule, note: kept, unsynced: true }, resumed(nowMs), nowMs, {
    type: 'schedule.resumed',
    data: { note: kept },
  });
}

/** The end of a schedule. What runs goes on; what waits does not start. */
export function remove(schedule: Schedule, nowMs: number): ScheduleDecision {
  const { given } = schedule.buffer;
  const change: Partial<Schedule> = {
    ...statusOf('deleted', nowMs),
    requests: [],
    next: undefined,
    buffer: { given, taken: given },
    backfills: [],
    unsynced: true,
  };
  return committed(schedule, change, nowMs, { type: 'schedule.deleted' });
}

/** A fire is wanted now, also while it is paused. The same request asks once. */
export function requestFire(schedule: Schedule, fire: PlannedFire, nowMs: number): ScheduleDecision {
  if (schedule.requests.length >= maxRequests)
    throw new RouseError('throttled', `${maxRequests} triggers of this schedule wait already. Try again in a moment.`, {
      retryAfterSeconds: 5,
    });
  return committed(schedule, { requests: [...schedule.requests, fire] }, nowMs);
}

/** The occurrences of a range in the past are wanted, those that have not been started. */
export function requestBackfill(schedule: Schedule, backfill: Backfill, nowMs: number): ScheduleDecision {
  if (schedule.backfills.some(({ id }) => id === backfill.id)) return { schedule, events: [] };
  if (schedule.backfills.length >= maxBackfills)
    throw new RouseError('conflict', `${maxBackfills} backfills of this schedule are not done yet. Wait for them.`);
  const { fromMs, toMs, overlap } = backfill;
  const found = occurrences(timingOf(schedule), fromMs - 1, toMs, maxBackfilled + 1);
  if (found.length > maxBackfilled)
    throw invalid(
      'to',
      `Received ${iso(toMs)}; a backfill has at most ${maxBackfilled} occurrences, so a time before ${iso(found.at(-1)!)} is allowed. Ask for what comes after it in another one.`,
    );
  return committed(schedule, { backfills: [...schedule.backfills, backfill] }, nowMs, {
    type: 'schedule.backfill_requested',
    data: { from: iso(fromMs), to: iso(toMs), overlap },
  });
}

/** EventBridge Scheduler has what it should; unless that is no longer what it should have. */
export function synced(schedule: Schedule, nowMs: number): ScheduleDecision {
  return committed(schedule, { unsynced: false }, nowMs);
}

/** Somebody has seen that EventBridge Scheduler has something else than it should. */
export function suspect(schedule: Schedule, nowMs: number): ScheduleDecision {
  return schedule.unsynced ? { schedule, events: [] } : committed(schedule, { unsynced: true }, nowMs);
}

/** What has come due under the old definition, and was about to be delivered. */
function dueNow(schedule: Schedule, nowMs: number): PlannedFire[] {
  if (schedule.status !== 'active') return [];
  const found = undecided(schedule, nowMs, maxRequests).filter(
    ({ scheduledMs }) => nowMs - scheduledMs < deliveryGraceMs,
  );
  return found.map(({ scheduledMs }) => ({ scheduledMs, cause: 'schedule', decidedMs: nowMs }));
}

export function paused(statusReason: string | undefined, nowMs: number): Partial<Schedule> {
  return { ...statusOf('paused', nowMs), statusReason };
}

function resumed(nowMs: number): Partial<Schedule> {
  return { ...statusOf('active', nowMs), decidedMs: nowMs };
}

function statusOf(status: Schedule['status'], nowMs: number): Partial<Schedule> {
  return { status, statusReason: undefined, statusSinceMs: nowMs };
}

/** EventBridge Scheduler knows seconds. */
function anchorOf({ startMs }: ScheduleDefinition, nowMs: number): number {
  return startMs ?? Math.floor(nowMs / 1000) * 1000;
}

function refuseNever(schedule: Schedule, nowMs: number): void {
  if (nextOccurrence(timingOf(schedule), nowMs) !== undefined) return;
  const { expression, timezone, endMs } = schedule.definition;
  const end = endMs === undefined ? '' : `, up to ${iso(endMs)}`;
  throw invalid('expression', `Received "${expression}" in ${timezone}, which never fires after ${iso(nowMs)}${end}.`);
}

function fieldsThatDiffer(before: ScheduleDefinition, after: ScheduleDefinition): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)] as (keyof ScheduleDefinition)[]);
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}

function changedNames(fields: string[], note: string, before: Schedule): string[] {
  const named = fields.map((field) => field.replace(/Ms$/, 'At'));
  return note === before.note ? named : [...named, 'note'];
}

function require(schedule: Schedule, command: string, allowed: readonly Schedule['status'][]): void {
  if (!allowed.includes(schedule.status))
    throw illegalTransition('schedule', schedule.id, schedule.status, command, allowed);
}

const iso = (timeMs: number) => new Date(timeMs).toISOString();
