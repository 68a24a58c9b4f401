import { Meter } from '../../agent/meter.ts';
import type { ClaimedTask } from '../../lib/http/schemas/runtime.ts';
import type { Timer } from '../../local/clock.ts';

/** What its container has. */
const size = { vcpu: 0.25, memoryGiB: 0.5 };

export class ProgramFailure extends Error {
  readonly code: string;

  constructor(code: string, message = 'The program failed.') {
    super(message);
    this.code = code;
  }
}

export type Outcome = { route: 'complete'; output: unknown } | { route: 'fail'; code: string; message: string };

/** What a shim reports of what a program did. */
export async function outcomeOf(program: () => unknown): Promise<Outcome> {
  try {
    return { route: 'complete', output: (await program()) ?? null };
  } catch (error) {
    const code = error instanceof ProgramFailure ? error.code : 'driver_failed';
    return { route: 'fail', code, message: error instanceof Error ? error.message : String(error) };
  }
}

/** One attempt of a task on a simulated shim. */
export class SimulatedAttempt {
  readonly task: ClaimedTask;
  readonly meter: Meter;
  cancelled = false;
  /** When its next heartbeat is due. */
  beatMs: number;
  /** Ends it when its time is over. */
  timeLimit: Timer | undefined;
  private readonly startedMs: number;

  constructor(task: ClaimedTask, concurrency: number, nowMs: number) {
    this.task = task;
    this.startedMs = nowMs;
    this.meter = new Meter(size, concurrency, task.usdPerSecond);
    this.beatMs = nowMs + this.beatEveryMs;
  }

  get beatEveryMs(): number {
    return Math.max(1, Math.floor(this.task.leaseSeconds / 3)) * 1000;
  }

  usage(nowMs: number) {
    return this.meter.usage(nowMs - this.startedMs);
  }

  amounts(nowMs: number) {
    return this.meter.amounts(nowMs - this.startedMs);
  }
}
