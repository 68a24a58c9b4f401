/** Deletes items some time after their time to live has ended, as DynamoDB does in the background. */
import type { Clock, Timer } from '../../clock.ts';
import { SortedList } from './sorted-list.ts';
import { attribute, type Item } from './value.ts';

interface Entry {
  atMs: number;
  key: string;
}

/** Items whose time ended longer ago are left alone: DynamoDB takes the number for a mistake. */
const oldestMs = 5 * 365 * 86_400_000;

export class Expiry {
  private readonly attributeName: string;
  private readonly clock: Clock;
  private readonly delayMs: number;
  private readonly expire: (key: string) => void;
  private readonly entries = new SortedList<Entry>(
    (one, two) => one.atMs - two.atMs || (one.key === two.key ? 0 : one.key < two.key ? -1 : 1),
  );
  private timer: { atMs: number; timer: Timer } | undefined;

  /** @param attributeName holds seconds since the epoch @param delayMs from the end of an item's time to its deletion */
  constructor(attributeName: string, clock: Clock, delayMs: number, expire: (key: string) => void) {
    this.attributeName = attributeName;
    this.clock = clock;
    this.delayMs = delayMs;
    this.expire = expire;
  }

  changed(key: string, before: Item | undefined, after: Item | undefined): void {
    const [old, next] = [this.endOf(before), this.endOf(after)];
    if (old === next) return;
    if (old !== undefined) this.entries.remove({ atMs: old, key });
    if (next === undefined || next < this.clock.now() - oldestMs) return;
    this.entries.insert({ atMs: next, key });
    this.arm();
  }

  stop(): void {
    this.timer?.timer.cancel();
    this.timer = undefined;
  }

  private endOf(item: Item | undefined): number | undefined {
    const seconds = item && attribute(item, this.attributeName)?.N;
    if (seconds === undefined) return undefined;
    const atMs = Math.floor(Number(seconds)) * 1000;
    return Number.isSafeInteger(atMs) ? atMs : undefined;
  }

  private arm(): void {
    const first = this.entries.first();
    if (!first || (this.timer && this.timer.atMs <= first.atMs + this.delayMs)) return;
    this.stop();
    const atMs = first.atMs + this.delayMs;
    this.timer = { atMs, timer: this.clock.at(atMs, () => this.run()) };
  }

  private run(): void {
    this.timer = undefined;
    const now = this.clock.now();
    for (let first = this.entries.first(); first && first.atMs + this.delayMs <= now; first = this.entries.first()) {
      this.entries.remove(first);
      this.expire(first.key);
    }
    this.arm();
  }
}
