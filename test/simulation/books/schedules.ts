import { toSchedule } from '../../../lib/aws/schedule-store.ts';
import type { Item } from '../../../lib/aws/table.ts';
import {
  type Fire,
  type RunningFire,
  type Schedule,
  type ScheduleStatus,
  timingOf,
  upcoming,
} from '../../../lib/domain/schedule.ts';
import { occurrences } from '../../../lib/domain/schedule-expression.ts';
import type { World } from '../world.ts';
import { type Book, Bounds, checkFollows, checkVersion, type Write } from './book.ts';

const follows: Record<ScheduleStatus, readonly ScheduleStatus[]> = {
  active: ['paused', 'completed', 'deleted'],
  paused: ['active', 'deleted'],
  completed: ['active', 'paused', 'deleted'],
  deleted: ['active', 'paused'],
};

/** Within this time an occurrence is decided, also when much goes wrong. */
const fireBoundMs = 15 * 60_000;

export const nameOf = (schedule: { id: string }) => `schedule/${schedule.id}`;
const iso = (timeMs: number) => new Date(timeMs).toISOString();
const startedBy = (fire: { taskId?: string | undefined; runId?: string | undefined }) => fire.taskId ?? fire.runId;

/** Every occurrence is decided once, and what was decided is what its row says. */
export class ScheduleBook implements Book {
  readonly heads = new Map<string, Schedule>();
  private readonly world: World;
  private readonly bounds: Bounds;
  /** The last word on each fire of a schedule, by its scheduled time. */
  private readonly decided = new Map<string, Map<number, Fire>>();
  private readonly rows = new Map<string, Map<number, Item>>();
  /** What each fire has started, by its scheduled time: also of those that are over. */
  private readonly started = new Map<string, Map<number, string>>();

  constructor(world: World) {
    this.world = world;
    this.bounds = new Bounds(world);
  }

  take({ sk, before, after }: Write): void {
    if (sk === 'head') this.takeHead(toSchedule(before), toSchedule(after));
    else if (sk.startsWith('fire#') && after) this.takeFire(after);
  }

  private takeHead(before: Schedule | undefined, after: Schedule | undefined): void {
    if (!after) return;
    this.heads.set(after.id, after);
    const name = nameOf(after);
    if (before?.status !== after.status)
      this.world.tell(
        `${name} ${before?.status ?? 'none'} → ${after.status}${after.statusReason ? ` (${after.statusReason})` : ''}`,
      );
    if (before) {
      checkVersion(this.world, name, before, after);
      checkFollows(this.world, name, follows, before.status, after.status);
    }
    const isSame = before?.seed === after.seed;
    if (!isSame) this.begin(before, after);
    else if (after.decidedMs < before.decidedMs)
      this.world.fail(`${name} had decided up to ${iso(before.decidedMs)}, then ${iso(after.decidedMs)}.`, name);
    if (isSame) this.checkDecided(before, after);
    this.checkRunning(before, after);
    if (before?.version !== after.version)
      for (const { fire } of after.unsettled) mapOf(this.decided, after.id).set(fire.scheduledMs, fire);
  }

  /** Another one of the same name, which has nothing to do with the fires of the one before. */
  private begin(before: Schedule | undefined, after: Schedule): void {
    if (before && before.status !== 'deleted')
      this.world.fail(`${nameOf(after)} was made anew while it was ${before.status}.`, nameOf(after));
    this.decided.delete(after.id);
  }

  /** None is lost: each occurrence that a look passes gets a fate in the same write. */
  private checkDecided(before: Schedule, after: Schedule): void {
    const isLook = before.status === 'active' && JSON.stringify(before.definition) === JSON.stringify(after.definition);
    if (!isLook || after.decidedMs === before.decidedMs) return;
    const settled = new Set(after.unsettled.map(({ fire }) => fire.scheduledMs));
    for (const scheduledMs of occurrences(timingOf(before), before.decidedMs, after.decidedMs, 1000))
      if (!settled.has(scheduledMs))
        this.world.fail(`${nameOf(after)} passed over its fire of ${iso(scheduledMs)}.`, nameOf(after));
  }

  /** None fires twice: what a fire starts is decided once, and a fire that is over never comes back. */
  private checkRunning(before: Schedule | undefined, after: Schedule): void {
    const name = nameOf(after);
    const ran = new Set(before?.running.map(({ scheduledMs }) => scheduledMs));
    const seen = new Set<number>();
    const started = mapOf(this.started, after.id);
    // What could not start was never there: a backfill starts it.
    for (const { fire } of after.unsettled) if (fire.outcome === 'failed') started.delete(fire.scheduledMs);
    for (const fire of after.running) {
      const { scheduledMs } = fire;
      const id = startedBy(fire) ?? '';
      if (seen.has(scheduledMs)) this.world.fail(`${name} runs its fire of ${iso(scheduledMs)} twice.`, name, id);
      seen.add(scheduledMs);
      const known = started.get(scheduledMs);
      if (known !== undefined && (known !== id || !ran.has(scheduledMs)))
        this.world.fail(`The fire of ${iso(scheduledMs)} of ${name} started ${known}, and then ${id}.`, name, id);
      if (known === undefined) this.tellFire(name, fire, id);
      started.set(scheduledMs, id);
    }
  }

  private tellFire(name: string, { scheduledMs, cause }: RunningFire, id: string): void {
    this.world.tell(`${name} fires for ${iso(scheduledMs).slice(11, 19)} (${cause}): ${id}`);
  }

  private takeFire(after: Item): void {
    const schedule = String(after.pk).split('#').at(-1)!;
    mapOf(this.rows, schedule).set(Number(after.scheduledMs), after);
  }

  /** What must hold at any time, in bounds. */
  look(): void {
    const nowMs = this.world.now();
    for (const schedule of this.heads.values()) {
      const next = upcoming(schedule);
      const name = nameOf(schedule);
      const isLate = next !== undefined && next.readyMs < nowMs;
      // Of each fire by itself: another one may be late at the next look.
      const fire = `${name} ${next?.scheduledMs}`;
      this.bounds.check(isLate, fire, fireBoundMs, `${name} has not decided a fire that is due`, name);
    }
  }

  /** What is under way, or has not been done. */
  unfinished(): string[] {
    const left: string[] = [];
    for (const schedule of this.heads.values()) {
      const { status, running, requests, unsettled, next } = schedule;
      const name = nameOf(schedule);
      for (const fire of running) left.push(`${name} waits for the end of ${startedBy(fire)}`);
      if (requests.length > 0) left.push(`${name} has not decided ${requests.length} triggers`);
      if (unsettled.length > 0 && schedule.dueAtMs !== undefined && schedule.dueAtMs < this.world.now())
        left.push(`${name} has ${unsettled.length} fires without a row`);
      if (next && status === 'active') left.push(`${name} has not started what waits`);
      if (status !== 'deleted' && schedule.backfills.length > 0 && status === 'active')
        left.push(`${name} has a backfill`);
      if (schedule.unsynced) left.push(`${name} is not in step with EventBridge Scheduler`);
    }
    return left;
  }

  /**
   * At the end: each fire that was decided has a row that says so, and what it has started has ended as the row says.
   * @param endOf the final status of a task or run
   */
  checkFires(endOf: (id: string) => string | undefined): void {
    for (const [id, fires] of this.decided) {
      const schedule = this.heads.get(id)!;
      const name = nameOf(schedule);
      for (const [scheduledMs, fire] of fires) {
        const row = mapOf(this.rows, id).get(scheduledMs);
        const text = `The fire of ${iso(scheduledMs)} of ${name}`;
        const started = startedBy(fire) ?? '';
        if (row?.outcome !== fire.outcome || row.seed !== schedule.seed)
          this.world.fail(`${text} is ${fire.outcome}, and its row says ${row?.outcome ?? 'nothing'}.`, name, started);
        if (fire.outcome !== 'started') continue;
        const status = (row?.result as Fire['result'])?.status;
        if (status === undefined) this.world.fail(`${text} has started ${started}, and no end.`, name, started);
        else if (endOf(started) !== status)
          this.world.fail(`${text} ended as ${status}, but ${started} is ${endOf(started)}.`, name, started);
      }
    }
  }
}

function mapOf<T>(maps: Map<string, Map<number, T>>, name: string): Map<number, T> {
  const known = maps.get(name) ?? new Map<number, T>();
  maps.set(name, known);
  return known;
}
