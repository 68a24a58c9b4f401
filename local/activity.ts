/**
 * Counts what is under way in the embedded AWS: calls, deliveries, invocations. Long polls and sleeping timers do not count.
 * With a manual clock, a test moves time only when all is quiet.
 */
export class Activity {
  private underWay = 0;
  private waiters: (() => void)[] = [];

  begin(): () => void {
    this.underWay += 1;
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.underWay -= 1;
      if (this.underWay === 0) this.wake();
    };
  }

  async track<T>(work: Promise<T>): Promise<T> {
    const end = this.begin();
    try {
      return await work;
    } finally {
      end();
    }
  }

  /** Resolves when nothing has been under way for a few turns of the event loop. */
  async settled(): Promise<void> {
    for (let quietTurns = 0; quietTurns < 3; ) {
      if (this.underWay > 0) {
        await new Promise<void>((resolve) => this.waiters.push(resolve));
        quietTurns = 0;
      } else {
        await new Promise<void>((resolve) => setImmediate(resolve));
        quietTurns = this.underWay > 0 ? 0 : quietTurns + 1;
      }
    }
  }

  private wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }
}
