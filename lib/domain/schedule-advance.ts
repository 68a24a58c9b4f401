import type { EventDraft } from './event.ts';
import { idOf } from './id.ts';
import {
  deliveryGraceMs,
  type Fire,
  type FireResult,
  hasBuffer,
  maxBuffered,
  maxRunning,
  mayBackfill,
  type Overlap,
  type PlannedFire,
  type RunningFire,
  type Schedule,
  type ScheduleDecision,
  type Settlement,
  startedFire,
  timingOf,
  undecided,
  upcoming,
} from './schedule.ts';
import { committed } from './schedule-due.ts';
import { nextOccurrence } from './schedule-expression.ts';
import { paused } from './schedule-life.ts';
import { placeOf } from './task.ts';

/** Occurrences that one look decides: a head's row carries the events of its write, and must stay small. */
export const decisionsPerLook = 25;

/** What one look at a schedule has seen. */
export interface Sight {
  nowMs: number;
  /** Fires that have ended, of those that were running. */
  ended: (FireResult & { scheduledMs: number })[];
  /** The first in the buffer, with its number. */
  firstBuffered?: Buffered | undefined;
  /** Of the first backfill: its next occurrences that were never started, and how far they go. */
  backfill?: { scheduledMs: number[]; untilMs: number } | undefined;
  /** A ULID for what a fire starts. */
  seedOf(scheduledMs: number): string;
}

interface Buffered {
  fire: PlannedFire;
  number: number;
}

/** Decides all that can be decided now; the same schedule again when that is nothing. */
export function advance(schedule: Schedule, sight: Sight): ScheduleDecision {
  return new Look(schedule, sight).decide();
}

class Look {
  private readonly before: Schedule;
  private readonly sight: Sight;
  private readonly events: EventDraft[] = [];
  private readonly settlements: Settlement[] = [];
  private now: Schedule;
  private firstBuffered: Buffered | undefined;

  constructor(schedule: Schedule, sight: Sight) {
    this.before = schedule;
    this.now = schedule;
    this.sight = sight;
    this.firstBuffered = sight.firstBuffered;
  }

  decide(): ScheduleDecision {
    for (const end of this.sight.ended) this.end(end);
    if (this.now.status !== 'deleted') {
      this.startNext();
      this.decideOccurrences();
      this.decideRequests();
      this.decideBackfill();
      this.complete();
    }
    if (this.now === this.before) return { schedule: this.before, events: [] };
    return committed(this.now, { unsettled: this.settlements }, this.sight.nowMs, ...this.events);
  }

  private end({ scheduledMs, ...result }: Sight['ended'][number]): void {
    const fire = this.now.running.find((one) => one.scheduledMs === scheduledMs);
    if (!fire) return;
    const { taskId, runId, agentId } = fire;
    const succeeded = result.status === 'succeeded';
    this.change({
      running: this.now.running.filter((one) => one !== fire),
      last: { scheduledMs, ...result },
      ...(succeeded ? { lastSuccess: { scheduledMs, taskId, runId } } : {}),
    });
    this.settle(startedFire(fire, { result }));
    this.tell('schedule.fire_ended', scheduledMs, { status: result.status, agentId, taskId, runId });
    const failed = ['failed', 'timed_out', 'expired'].includes(result.status);
    if (failed && this.now.definition.pauseOnFailure && this.now.status === 'active')
      this.pause(`the fire of ${iso(scheduledMs)} ended as ${result.status}`);
  }

  private decideOccurrences(): void {
    if (this.now.status !== 'active') return;
    const { nowMs } = this.sight;
    const windowMs = this.now.definition.catchupWindowSeconds * 1000;
    for (const { scheduledMs, readyMs } of undecided(this.now, nowMs, decisionsPerLook)) {
      if (readyMs > nowMs) return;
      const lateMs = nowMs - readyMs;
      // It should have been delivered by now: whether EventBridge Scheduler still has the schedule is worth a look.
      if (lateMs >= deliveryGraceMs) this.change({ unsynced: true });
      this.change({ decidedMs: scheduledMs });
      if (lateMs > windowMs) this.miss(scheduledMs, lateMs);
      else this.arrive(this.planned(scheduledMs, 'schedule'));
    }
  }

  private decideRequests(): void {
    const { requests } = this.now;
    if (requests.length === 0) return;
    this.change({ requests: [] });
    for (const request of requests) this.arrive(request);
  }

  private decideBackfill(): void {
    const [backfill, ...others] = this.now.backfills;
    const { backfill: found } = this.sight;
    if (!backfill || !found) return;
    const { overlap, fromMs, toMs } = backfill;
    const own = upcoming(this.before);
    // First the schedule decides what it can: what came of that is seen by the next look.
    if (own && own.scheduledMs <= toMs && own.readyMs <= this.sight.nowMs) return;
    const left = found.scheduledMs.filter((scheduledMs) => !own || scheduledMs < own.scheduledMs);
    let { doneMs } = backfill;
    for (const scheduledMs of left) {
      if (!mayBackfill(this.now)) break;
      this.arrive({ ...this.planned(scheduledMs, 'backfill'), overlap });
      doneMs = scheduledMs;
    }
    if (doneMs === (left.at(-1) ?? doneMs)) doneMs = found.untilMs;
    if (doneMs === backfill.doneMs) return;
    const isDone = doneMs >= toMs;
    this.change({ backfills: isDone ? others : [{ ...backfill, doneMs }, ...others] });
    if (isDone) this.events.push({ type: 'schedule.backfill_finished', data: { from: iso(fromMs), to: iso(toMs) } });
  }

  /** One that can start: by its policy at once, later, instead of another, or never. */
  private arrive(fire: PlannedFire): void {
    const overlap = fire.overlap ?? this.now.definition.overlap;
    const { running, next } = this.now;
    // What only waits for the schedule to be resumed does not hold up what is wanted in spite of that.
    const isBusy = running.length > 0 || (next !== undefined && this.mayStart(next));
    if (overlap === 'allow_all' ? running.length < maxRunning : !isBusy) this.start(fire);
    else this.hold(fire, overlap);
  }

  private hold(fire: PlannedFire, overlap: Overlap): void {
    const { next } = this.now;
    switch (overlap) {
      case 'allow_all':
        this.skip(fire, `${maxRunning} of its fires run, the most that a schedule may have`);
        break;
      case 'skip':
        this.skip(fire, `${this.busyWith()}, and the overlap policy is skip`);
        break;
      case 'buffer_one':
        if (next) this.skip(fire, `the fire of ${iso(next.scheduledMs)} waits already`);
        else this.wait(fire);
        break;
      case 'buffer_all':
        if (next) this.buffer(fire);
        else this.wait(fire);
        break;
      case 'cancel_other':
        this.replace(fire, 'cancel');
        break;
      case 'terminate_other':
        this.replace(fire, 'kill');
        break;
      default:
        overlap satisfies never;
    }
  }

  private buffer(fire: PlannedFire): void {
    const { given, taken } = this.now.buffer;
    const reason = this.busyWith();
    if (given - taken >= maxBuffered - 1) {
      this.skip(fire, `${maxBuffered} fires wait already, the most that a schedule may hold back`);
      return;
    }
    this.change({ buffer: { given: given + 1, taken } });
    if (given === taken) this.firstBuffered = { fire, number: given + 1 };
    this.settle({ ...fireOf(fire), outcome: 'buffered', reason }, { buffered: given + 1 });
    this.tell('schedule.buffered', fire.scheduledMs, { reason });
  }

  private wait(fire: PlannedFire): void {
    const reason = this.busyWith();
    this.change({ next: fire });
    this.settle({ ...fireOf(fire), outcome: 'buffered', reason });
    this.tell('schedule.buffered', fire.scheduledMs, { reason });
  }

  /** What runs is stopped, and the newest of those that wait for that starts. */
  private replace(fire: PlannedFire, stop: 'cancel' | 'kill'): void {
    const { next } = this.now;
    const took = `the fire of ${iso(fire.scheduledMs)} took its place`;
    if (next) this.skip(next, took);
    const before = new Set(this.before.running.map(({ scheduledMs }) => scheduledMs));
    const [running, planned] = parted(this.now.running, ({ scheduledMs }) => before.has(scheduledMs));
    // Decided in this very look, so nothing of it is there yet.
    for (const one of planned) this.skip(one, took);
    this.change({
      running: running.map((one) => ({ ...one, stop: one.stop === 'kill' ? one.stop : stop })),
      next: undefined,
    });
    if (running.length === 0) this.start(fire);
    else this.wait(fire);
  }

  private start(fire: PlannedFire): void {
    const seed = this.sight.seedOf(fire.scheduledMs);
    const { nowMs } = this.sight;
    const running = { ...fire, decidedMs: nowMs, begun: false, ...startOf(this.now, seed, nowMs) };
    this.change({ running: [...this.now.running, running] });
    this.settle(startedFire(running));
  }

  private startNext(): void {
    const { next, running } = this.now;
    if (!next || running.length > 0 || !this.mayStart(next)) return;
    this.change({ next: undefined });
    if (hasBuffer(this.now)) this.takeBuffered();
    this.start(next);
  }

  private takeBuffered(): void {
    const { given } = this.now.buffer;
    const { fire, number = given } = this.firstBuffered ?? {};
    this.firstBuffered = undefined;
    // Without any row there is nothing behind it, whatever the numbers say.
    this.change({ next: fire, buffer: { given, taken: number } });
    if (fire)
      this.settle({ ...fireOf(fire), outcome: 'buffered', reason: 'it is the next to start' }, { unbuffered: number });
  }

  private miss(scheduledMs: number, lateMs: number): void {
    const lateSeconds = Math.round(lateMs / 1000);
    const { catchupWindowSeconds } = this.now.definition;
    const reason = `it came ${lateSeconds} s late, and the catch-up window has ${catchupWindowSeconds} s`;
    this.settle({ ...fireOf(this.planned(scheduledMs, 'schedule')), outcome: 'missed', reason });
    this.tell('schedule.missed', scheduledMs, { reason, lateSeconds });
  }

  private skip(fire: PlannedFire, reason: string): void {
    this.settle({ ...fireOf(fire), outcome: 'skipped', reason });
    this.tell('schedule.skipped', fire.scheduledMs, { reason, cause: fire.cause });
  }

  private complete(): void {
    const { status, decidedMs } = this.now;
    if (status !== 'active' || nextOccurrence(timingOf(this.now), decidedMs) !== undefined) return;
    this.change({ status: 'completed', statusReason: undefined, statusSinceMs: this.sight.nowMs, unsynced: true });
    this.events.push({ type: 'schedule.completed' });
  }

  private pause(reason: string): void {
    this.change({ ...paused(reason, this.sight.nowMs), unsynced: true });
    this.events.push({ type: 'schedule.paused', data: { reason } });
  }

  private mayStart(fire: PlannedFire): boolean {
    return this.now.status !== 'paused' || fire.cause !== 'schedule';
  }

  private busyWith(): string {
    const [oldest] = this.now.running;
    if (oldest) return `the fire of ${iso(oldest.scheduledMs)} has not ended (${oldest.taskId ?? oldest.runId})`;
    return `the fire of ${iso(this.now.next?.scheduledMs ?? this.sight.nowMs)} waits`;
  }

  private planned(scheduledMs: number, cause: PlannedFire['cause']): PlannedFire {
    return { scheduledMs, cause, decidedMs: this.sight.nowMs };
  }

  /** Only the last word on a fire counts. */
  private settle(fire: Fire, place: Omit<Settlement, 'fire'> = {}): void {
    const known = this.settlements.findIndex((one) => one.fire.scheduledMs === fire.scheduledMs);
    const [earlier] = known < 0 ? [] : this.settlements.splice(known, 1);
    const both = { ...earlier, ...place };
    // What came and went in one look was never there.
    const isOver = both.buffered !== undefined && both.buffered === both.unbuffered;
    this.settlements.push({ ...(isOver ? {} : both), fire });
  }

  private tell(type: string, scheduledMs: number, data: Record<string, unknown>): void {
    this.events.push({ type, data: { scheduledTime: iso(scheduledMs), ...data } });
  }

  private change(change: Partial<Schedule>): void {
    this.now = { ...this.now, ...change };
  }
}

export interface Begun {
  scheduledMs: number;
  /** Why it could not start, and whether the next one can't either. */
  failed?: { reason: string; forGood: boolean } | undefined;
}

/** What was to be started is there, or can't be. */
export function confirm(schedule: Schedule, begun: readonly Begun[], nowMs: number): ScheduleDecision {
  const events: EventDraft[] = [];
  const unsettled: Settlement[] = [];
  let change: Partial<Schedule> = {};
  const running = schedule.running.flatMap((fire): RunningFire[] => {
    const end = begun.find(({ scheduledMs }) => scheduledMs === fire.scheduledMs);
    if (!end || fire.begun) return [fire];
    const { scheduledMs, cause, agentId, taskId, runId } = fire;
    const scheduledTime = iso(scheduledMs);
    if (!end.failed) {
      const lateSeconds = Math.max(0, Math.round((fire.decidedMs - scheduledMs) / 1000));
      const data = { scheduledTime, cause, agentId, taskId, runId, lateSeconds };
      events.push({ type: 'schedule.fired', data });
      return [{ ...fire, begun: true }];
    }
    const { reason, forGood } = end.failed;
    unsettled.push({ fire: { ...fireOf(fire), outcome: 'failed', reason } });
    events.push({ type: 'schedule.failed', data: { scheduledTime, cause, reason } });
    if (schedule.status === 'active' && (forGood || schedule.definition.pauseOnFailure)) {
      change = { ...paused(reason, nowMs), unsynced: true };
      events.push({ type: 'schedule.paused', data: { reason } });
    }
    return [];
  });
  return committed({ ...schedule, running, unsettled }, change, nowMs, ...events);
}

/** What the target makes a fire start, with the ids that it will have. */
function startOf({ definition }: Schedule, seed: string, nowMs: number): Partial<RunningFire> {
  const { target } = definition;
  if ('workflow' in target) return { runId: idOf('run', seed) };
  const fresh = 'template' in target;
  const agentId = fresh ? idOf('agent', seed) : target.agentId;
  const taskId = idOf('task', seed, agentId);
  return { agentId, taskId, place: placeOf(nowMs, target.task.priority), ...(fresh ? { fresh } : {}) };
}

function fireOf({ scheduledMs, cause, request, decidedMs }: PlannedFire): Omit<Fire, 'outcome'> {
  return { scheduledMs, cause, request, decidedMs };
}

function parted<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

const iso = (timeMs: number) => new Date(timeMs).toISOString();
