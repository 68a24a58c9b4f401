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
  now(): number {
    return Date.now();
  }

  at(timeMs: number, fn: () => void): Timer {
    let handle: NodeJS.Timeout;
    const arm = () => {
      const rest = Math.max(0, timeMs - Date.now());
      // setTimeout overflows beyond 24.8 days and fires at once.
      handle = rest > maxTimeoutMs ? setTimeout(arm, maxTimeoutMs) : setTimeout(fn, rest);
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  }
}

interface Entry {
  timeMs: number;
  order: number;
  fn: () => void;
}

/** Time that stands still until a test moves it. Timers run in order of time, then of creation. */
export class ManualClock implements Clock {
  private timeMs: number;
  private order = 0;
  private entries: Entry[] = [];

  constructor(startMs = Date.UTC(2027, 0, 4, 8, 0, 0)) {
    this.timeMs = startMs;
  }

  now(): number {
    return this.timeMs;
  }

  at(timeMs: number, fn: () => void): Timer {
    const entry = { timeMs, order: this.order++, fn };
    this.entries.push(entry);
    return {
      cancel: () => {
        this.entries = this.entries.filter((other) => other !== entry);
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
    this.entries = this.entries.filter((other) => other !== entry);
    this.timeMs = Math.max(this.timeMs, entry.timeMs);
    entry.fn();
    return true;
  }

  private earliest(): Entry | undefined {
    let best: Entry | undefined;
    for (const entry of this.entries) {
      if (!best || entry.timeMs < best.timeMs || (entry.timeMs === best.timeMs && entry.order < best.order))
        best = entry;
    }
    return best;
  }
}
