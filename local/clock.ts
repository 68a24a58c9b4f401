/** A pending call, made by {@link Clock.at}. */
export interface Timer {
  cancel(): void;
}

/** The only source of time in the embedded AWS. All times are milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Calls `fn` once at `timeMs`, or as soon as possible when that has passed. */
  at(timeMs: number, fn: () => void): Timer;
}

const maxTimeoutMs = 2_147_483_647;

/** Wall-clock time. Its timers do not keep the process alive. */
export class RealClock implements Clock {
  private readonly pending = new Set<Timer>();

  now(): number {
    return Date.now();
  }

  at(timeMs: number, fn: () => void): Timer {
    let handle: NodeJS.Timeout;
    const arm = () => {
      const rest = Math.max(0, timeMs - Date.now());
      // setTimeout overflows beyond 24.8 days and fires at once.
      handle = rest > maxTimeoutMs ? setTimeout(arm, maxTimeoutMs) : setTimeout(fire, rest);
      handle.unref();
    };
    const timer = {
      cancel: () => {
        clearTimeout(handle);
        this.pending.delete(timer);
      },
    };
    const fire = () => {
      this.pending.delete(timer);
      fn();
    };
    this.pending.add(timer);
    arm();
    return timer;
  }

  /** Cancels all timers: nothing happens any more by this clock. */
  close(): void {
    for (const timer of this.pending) timer.cancel();
  }
}

interface Entry {
  timeMs: number;
  order: number;
  fn: () => void;
  cancelled: boolean;
}

/** Time that stands still until a test moves it. Timers run in order of time, then of creation. */
export class ManualClock implements Clock {
  private timeMs: number;
  private order = 0;
  /** A binary heap with the earliest first. Cancelled timers stay until they come to its top. */
  private readonly heap: Entry[] = [];

  constructor(startMs = Date.UTC(2027, 0, 4, 8, 0, 0)) {
    this.timeMs = startMs;
  }

  now(): number {
    return this.timeMs;
  }

  at(timeMs: number, fn: () => void): Timer {
    // Whole milliseconds, as of the machine's clock: much is numbered by them.
    const entry = { timeMs: Math.ceil(timeMs), order: this.order++, fn, cancelled: false };
    this.push(entry);
    return {
      cancel: () => {
        entry.cancelled = true;
        // It may stay for long: what it holds need not.
        entry.fn = () => {};
      },
    };
  }

  /** Time of the earliest pending timer, or undefined. */
  nextTimer(): number | undefined {
    return this.earliest()?.timeMs;
  }

  /**
   * Moves to the earliest timer that is due by `limitMs` and runs it; without one, moves to `limitMs`.
   * Returns whether a timer ran. Callers let the consequences settle between two steps.
   */
  step(limitMs: number): boolean {
    const entry = this.earliest();
    if (!entry || entry.timeMs > limitMs) {
      this.timeMs = Math.max(this.timeMs, limitMs);
      return false;
    }
    this.pop();
    this.timeMs = Math.max(this.timeMs, entry.timeMs);
    entry.fn();
    return true;
  }

  private earliest(): Entry | undefined {
    while (this.heap[0]?.cancelled) this.pop();
    return this.heap[0];
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(one: Entry, two: Entry): boolean {
  return one.timeMs < two.timeMs || (one.timeMs === two.timeMs && one.order < two.order);
}
