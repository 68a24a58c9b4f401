import { timeOf } from '../../../lib/domain/id.ts';
import type { World } from '../world.ts';
import { type Book, Bounds, type Write } from './book.ts';

/** Settings reach a function that runs already only with its next run. */
const settlingMs = 60_000;
/** Within this time a runtime that runs has a place, or is stopped, also when much goes wrong. */
const placeBoundMs = 20 * 60_000;

/** What runs at once of a tenant whose runtimes are limited, and what waits for room. */
export class RoomBook implements Book {
  private readonly world: World;
  private readonly bounds: Bounds;
  private used = 0;
  private readonly slots = new Set<string>();
  private readonly waiting = new Set<string>();

  constructor(world: World) {
    this.world = world;
    this.bounds = new Bounds(world);
  }

  take({ sk, before, after }: Write): void {
    if (sk === 'head') this.used = Number(after?.used ?? 0);
    const id = String((after ?? before)?.runtimeId);
    if (sk.startsWith('slot#')) this.takeSlot(id, before === undefined, after !== undefined);
    if (sk.startsWith('waiting#') && (before === undefined) !== (after === undefined)) this.takeWaiting(id, !!after);
  }

  private takeSlot(id: string, isNew: boolean, isThere: boolean): void {
    if (isThere) this.slots.add(id);
    else this.slots.delete(id);
    if (!isNew || !isThere) return;
    const limit = this.world.limitOf('ROUSE_MAX_RUNTIMES', settlingMs);
    this.world.tell(`${id} has place ${this.slots.size} of ${limit}`);
    // What ran before there was a limit is counted beyond it too.
    const sinceMs = this.world.limitSince('ROUSE_MAX_RUNTIMES');
    const isOlder = sinceMs !== undefined && timeOf(id) <= sinceMs + settlingMs;
    if (this.slots.size > limit && !isOlder)
      this.world.fail(`${id} got a place, and so ${this.slots.size} of ${limit} runtimes have one.`, id);
  }

  private takeWaiting(id: string, isThere: boolean): void {
    if (isThere) this.waiting.add(id);
    else this.waiting.delete(id);
    this.world.tell(`${id} ${isThere ? 'waits' : 'no longer waits'} for room`);
  }

  /** What must hold whenever nothing is under way. */
  look(): void {
    if (this.used !== this.slots.size)
      this.world.fail(`The room counts ${this.used} runtimes, and ${this.slots.size} have a place in it.`);
    const { world } = this;
    const sinceMs = world.limitSince('ROUSE_MAX_RUNTIMES');
    for (const { taskArn, startedBy, createdAt, lastStatus } of world.stack.aws.ecs.allTasks()) {
      const id = startedBy?.split('/').at(-1) ?? '';
      const isLimited = sinceMs !== undefined && createdAt * 1000 > sinceMs + settlingMs;
      const isAstray = isLimited && lastStatus !== 'STOPPED' && !this.slots.has(id);
      this.bounds.check(isAstray, taskArn, placeBoundMs, `${id} runs without a place in the room`, id);
    }
  }

  /** Places of what does not run any more, and those who wait though there is no limit. */
  leftovers(): string[] {
    return [
      ...[...this.slots].map((id) => `${id} has a place in the room`),
      ...[...this.waiting].map((id) => `${id} waits for room`),
    ];
  }
}
