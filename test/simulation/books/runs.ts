import { toRun } from '../../../lib/aws/run-store.ts';
import type { Item } from '../../../lib/aws/table.ts';
import type { Parent } from '../../../lib/domain/parent.ts';
import {
  isDone,
  isMapped,
  isOver,
  isSingle,
  type MappedStep,
  type Run,
  type RunStatus,
  type StepState,
} from '../../../lib/domain/run.ts';
import type { World } from '../world.ts';
import { type Book, checkFollows, checkVersion, type Write } from './book.ts';

const follows: Record<RunStatus, readonly RunStatus[]> = {
  running: ['succeeded', 'failed', 'cancelled', 'timed_out'],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
};

type Place = Extract<Parent, { type: 'run' }>;

/** Runs: each step starts once and ends once, and of a run that is over nothing runs any more. */
export class RunBook implements Book {
  readonly heads = new Map<string, Run>();
  private readonly world: World;
  /** What was started for each step and item of a run. */
  private readonly started = new Map<string, Map<string, string>>();
  private readonly isUnderWay: (id: string) => boolean;

  /** @param isUnderWay whether a task or run has begun, or may, and has not ended */
  constructor(world: World, isUnderWay: (id: string) => boolean) {
    this.world = world;
    this.isUnderWay = isUnderWay;
  }

  take({ sk, before, after }: Write): void {
    if (sk === 'head') this.takeHead(toRun(before), toRun(after));
  }

  private takeHead(before: Run | undefined, after: Run | undefined): void {
    if (!after) return;
    const { id, status, parent } = after;
    this.heads.set(id, after);
    if (!before) {
      this.world.tell(`${id} of ${after.workflow} begins`);
      if (parent) this.takeChild(id, parent);
      return;
    }
    checkVersion(this.world, id, before, after);
    checkFollows(this.world, id, follows, before.status, status);
    for (const step of new Set([...Object.keys(before.steps), ...Object.keys(after.steps)]))
      this.takeStep(id, step, before.steps[step], after.steps[step]);
    if (before.status === status) return;
    this.world.tell(`${id} ${before.status} → ${status}${after.error ? ` (${after.error.message})` : ''}`);
    this.checkNothingRuns(after);
  }

  private takeStep(id: string, step: string, before: StepState | undefined, after: StepState | undefined): void {
    const text = `The step ${step} of ${id}`;
    if (before?.status !== after?.status)
      this.world.tell(`${id} ${step}: ${before?.status ?? 'pending'} → ${after?.status ?? 'pending'}`);
    if (!before || before.status === 'pending') return;
    if (!after || after.status === 'pending') {
      this.world.fail(`${text} was ${before.status}, and has not begun any more.`, id);
      return;
    }
    if (isDone(before) && JSON.stringify(before) !== JSON.stringify(after))
      this.world.fail(`${text} had ended as ${before.status}, and was changed.`, id);
    if (isSingle(before) && isSingle(after) && before.id !== after.id)
      this.world.fail(`${text} had started ${before.id}, and then ${after.id}.`, id, before.id);
    if (isMapped(before) && isMapped(after)) this.takeItems(id, text, before, after);
  }

  private takeItems(id: string, text: string, before: MappedStep, after: MappedStep): void {
    const gone = before.next > after.next || before.succeeded > after.succeeded || before.failed > after.failed;
    if (gone) this.world.fail(`${text} has counted its items backwards.`, id);
    const back = after.active.find((item) => item < before.next && !before.active.includes(item));
    if (back !== undefined) this.world.fail(`Item ${back} of ${text} was over, and is under way again.`, id);
    if (after.next > after.total) this.world.fail(`${text} has started more items than there are.`, id);
    const over = after.next - after.active.length;
    const isEnding = this.heads.get(id)?.ending !== undefined;
    if (!isEnding && after.succeeded + after.failed !== over)
      this.world.fail(`${text}: ${over} items are over, ${after.succeeded} well and ${after.failed} failed.`, id);
  }

  /** Steps start at most once: all attempts are of the same task. */
  takeRecord(record: Item): void {
    const parent = record.parent as Parent | undefined;
    if (parent) this.takeChild(String(record.id), parent);
  }

  private takeChild(id: string, parent: Parent): void {
    if (parent.type !== 'run') return;
    const { runId, step, item } = parent as Place;
    const places = this.started.get(runId) ?? new Map<string, string>();
    this.started.set(runId, places);
    const place = `${step}${item === undefined ? '' : `, item ${item}`}`;
    const known = places.get(place);
    if (known !== undefined && known !== id)
      this.world.fail(`The step ${place} of ${runId} has started ${known} and ${id}.`, runId, known, id);
    places.set(place, id);
    const run = this.heads.get(runId);
    if (run && isOver(run)) this.world.fail(`${runId} was ${run.status}, and then ${id} began for it.`, runId, id);
  }

  /** Invariant 6 for runs: of one that is over nothing is left that runs or may. */
  private checkNothingRuns({ id, status }: Run): void {
    for (const [place, child] of this.started.get(id) ?? [])
      if (this.isUnderWay(child))
        this.world.fail(`${id} is ${status}, and ${child} of ${place} is not over.`, id, child);
  }

  /** Runs that are not over; `waiting` ones have a step that waits for a person. */
  unfinished(): { id: string; waits: boolean }[] {
    return [...this.heads.values()]
      .filter((run) => !isOver(run))
      .map(({ id, steps }) => ({ id, waits: Object.values(steps).some(({ status }) => status === 'waiting') }));
  }
}
