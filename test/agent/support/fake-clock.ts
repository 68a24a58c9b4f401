import type { Clock } from '../../../agent/clock.ts';

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now = 1_700_000_000_000;
  readonly #sleepers = new Set<{ until: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted || milliseconds <= 0) return resolve();
      const sleeper = {
        until: this.#now + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Lets time pass, waking each sleeper at its time and letting what follows from it happen first. */
  async advance(milliseconds: number): Promise<void> {
    const target = this.#now + milliseconds;
    await settled();
    for (;;) {
      const next = [...this.#sleepers].filter(({ until }) => until <= target).sort((a, b) => a.until - b.until)[0];
      if (next === undefined) break;
      this.#now = next.until;
      next.wake();
      await settled();
    }
    this.#now = target;
  }
}

/** Everything that needs no time to pass has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
