import type { Budget } from './budget.ts';
import type { EventDraft } from './event.ts';
import { shardOf } from './id.ts';
import { nextOccurrence, occurrences, type Timing } from './schedule-expression.ts';
import type { FinalStatus, TaskError } from './task.ts';

export const overlapPolicies = [
  'skip',
  'buffer_one',
  'buffer_all',
  'cancel_other',
  'terminate_other',
  'allow_all',
] as const;
export type Overlap = (typeof overlapPolicies)[number];

export const scheduleStatuses = ['active', 'paused', 'completed', 'deleted'] as const;
export type ScheduleStatus = (typeof scheduleStatuses)[number];

export const fireOutcomes = ['started', 'skipped', 'buffered', 'missed', 'failed'] as const;
export type FireOutcome = (typeof fireOutcomes)[number];

/** What brought a fire about: its time, a client that wanted one now, or a backfill. */
export type FireCause = 'schedule' | 'trigger' | 'backfill';

export interface ScheduledTask {
  input: unknown;
  output: { type: 'text' | 'json' | 'files'; schema?: unknown; files?: string[] | undefined };
  priority: number;
  expiresInSeconds?: number | undefined;
  timeoutSeconds?: number | undefined;
  maxAttempts?: number | undefined;
  budget?: Budget | undefined;
  metadata: Record<string, unknown>;
}

/** What a fire starts: a task of an agent, a task of a fresh agent that is terminated afterwards, or a run. */
export type ScheduleTarget =
  | { agentId: string; task: ScheduledTask }
  | { template: string; task: ScheduledTask }
  | { workflow: string; input: unknown };

/** What a client says of a schedule. */
export interface ScheduleDefinition {
  expression: string;
  timezone: string;
  startMs?: number | undefined;
  endMs?: number | undefined;
  jitterSeconds: number;
  target: ScheduleTarget;
  overlap: Overlap;
  /** An occurrence that is handled later than this is missed. */
  catchupWindowSeconds: number;
  pauseOnFailure: boolean;
}

/** A fire on its way: it has been decided that it shall start, at once or when its turn comes. */
export interface PlannedFire {
  scheduledMs: number;
  cause: FireCause;
  /** The request that wanted it: the same one never gets two. */
  request?: string | undefined;
  overlap?: Overlap | undefined;
  decidedMs: number;
}

/** A fire that has something running, or is about to. */
export interface RunningFire extends PlannedFire {
  /** What it starts is there. */
  begun: boolean;
  agentId?: string | undefined;
  taskId?: string | undefined;
  /** Place of its task in the agent's queue. */
  place?: number | undefined;
  runId?: string | undefined;
  /** The agent was made for it, and goes with it. */
  fresh?: boolean | undefined;
  /** A later one takes its place: it is cancelled, or killed. */
  stop?: 'cancel' | 'kill' | undefined;
}

/** A fire as its row tells of it. */
export interface Fire {
  scheduledMs: number;
  cause: FireCause;
  request?: string | undefined;
  outcome: FireOutcome;
  reason?: string | undefined;
  decidedMs: number;
  agentId?: string | undefined;
  taskId?: string | undefined;
  runId?: string | undefined;
  /** What became of what it started. */
  result?: FireResult | undefined;
}

export interface FireResult {
  status: FinalStatus;
  finishedMs: number;
  error?: TaskError | undefined;
}

export interface Backfill {
  id: string;
  fromMs: number;
  toMs: number;
  /** All its occurrences up to here are decided. */
  doneMs: number;
  overlap: Overlap;
}

/** A row to be written besides the head: what a fire has become, and its place in the buffer when it takes or leaves one. */
export interface Settlement {
  fire: Fire;
  /** Its number in the buffer, which begins or ends. */
  buffered?: number | undefined;
  unbuffered?: number | undefined;
}

/**
 * The head row of a schedule. All that is decided is decided by its conditional write, so that an occurrence is decided
 * once, however often it is delivered; the rows of fires follow what it says.
 */
export interface Schedule {
  /** Its name. */
  id: string;
  tenant: string;
  /** ULID of its creation: one of the same name that is made later is another. */
  seed: string;
  version: number;
  definition: ScheduleDefinition;
  /** Where a rate counts from. */
  anchorMs: number;
  /** The agent that made it for itself. */
  ownerAgentId?: string | undefined;

  status: ScheduleStatus;
  statusReason?: string | undefined;
  statusSinceMs: number;
  note: string;

  /** All occurrences up to this moment are decided. */
  decidedMs: number;
  /** Fires that clients want now. */
  requests: PlannedFire[];
  running: RunningFire[];
  /** The one that starts when the running ones have ended. */
  next?: PlannedFire | undefined;
  /** Those behind it have rows, numbered; these are the last numbers that were given and taken. */
  buffer: { given: number; taken: number };
  backfills: Backfill[];
  /** What the last write decided, and what may not be in the fires' rows yet. */
  unsettled: Settlement[];
  /** The last fire that ended, and the last that succeeded: a success clears a failure. */
  last?: (FireResult & { scheduledMs: number }) | undefined;
  lastSuccess?: { scheduledMs: number; taskId?: string | undefined; runId?: string | undefined } | undefined;

  /** EventBridge Scheduler may not have what it should. */
  unsynced: boolean;
  /** When reconcile has to look at it at the latest. May be early, never late. */
  dueAtMs?: number | undefined;
  createdMs: number;
  updatedMs: number;
}

export interface ScheduleDecision {
  schedule: Schedule;
  events: EventDraft[];
}

/** Fires that may run at once: under `allow_all`, since all other policies have one. */
export const maxRunning = 100;
/** Fires that `buffer_all` may hold back. */
export const maxBuffered = 1000;
/** EventBridge Scheduler delivers within a minute (aws-facts 4.1); what has not come by then is not waited for longer. */
export const deliveryGraceMs = 120_000;

export function timingOf({ definition, anchorMs }: Schedule): Timing {
  const { expression, timezone, startMs, endMs } = definition;
  return { expression, timezone, startMs, endMs, anchorMs };
}

/** The next times at which it fires, as they are without jitter, also while it is paused. */
export function nextFires(schedule: Schedule, nowMs: number, count: number): number[] {
  return occurrences(timingOf(schedule), Math.max(nowMs, schedule.decidedMs), Number.POSITIVE_INFINITY, count);
}

/** Occurrences that are not decided, and when each of them may be: its jitter never reaches the one after it. */
export function undecided(
  schedule: Schedule,
  untilMs: number,
  limit: number,
): { scheduledMs: number; readyMs: number }[] {
  const timing = timingOf(schedule);
  const found = occurrences(timing, schedule.decidedMs, untilMs, limit);
  return found.map((scheduledMs) => ({ scheduledMs, readyMs: readyMsOf(schedule, timing, scheduledMs) }));
}

/** The occurrence that comes next, and when it may start. */
export function upcoming(schedule: Schedule): { scheduledMs: number; readyMs: number } | undefined {
  if (schedule.status !== 'active') return undefined;
  return undecided(schedule, Number.POSITIVE_INFINITY, 1)[0];
}

function readyMsOf({ id, seed, definition }: Schedule, timing: Timing, scheduledMs: number): number {
  const jitterMs = definition.jitterSeconds * 1000;
  if (jitterMs === 0) return scheduledMs;
  const roomMs = (nextOccurrence(timing, scheduledMs) ?? Number.POSITIVE_INFINITY) - scheduledMs;
  return scheduledMs + shardOf(`${id}/${seed}/${scheduledMs}`, Math.min(jitterMs, roomMs));
}

/** Whether a fire waits behind the next one. */
export function hasBuffer({ buffer }: Schedule): boolean {
  return buffer.given > buffer.taken;
}

export function buffered({ next, buffer }: Schedule): number {
  return (next ? 1 : 0) + buffer.given - buffer.taken;
}

/** Whether the first backfill can go on: it is a buffer of its own, and takes the next occurrence when there is room. */
export function mayBackfill({ backfills, running, next }: Schedule): boolean {
  const [backfill] = backfills;
  if (backfill?.overlap === 'buffer_all') return running.length === 0 && next === undefined;
  if (backfill?.overlap === 'allow_all') return running.length < maxRunning;
  return backfill !== undefined;
}

/** A fire's row as it is when something of it runs. */
export function startedFire(running: RunningFire, differs: Partial<Fire> = {}): Fire {
  const { scheduledMs, cause, request, decidedMs, agentId, taskId, runId } = running;
  return { scheduledMs, cause, request, decidedMs, agentId, taskId, runId, outcome: 'started', ...differs };
}
