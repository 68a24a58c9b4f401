import { Worker } from 'node:worker_threads';
import type { Plan } from './plan.ts';
import type { Outcome } from './simulation.ts';

interface Hand {
  worker: Worker;
  done: number;
}

/** Simulations that one thread runs before it is replaced: what libraries keep must not grow without end. */
const runsPerWorker = 50;
const oldSpaceMiB = 3000;

/** Runs plans in several threads. */
export class Crew {
  private readonly assembly: string;
  private readonly idle: Hand[] = [];

  constructor(assembly: string) {
    this.assembly = assembly;
  }

  async run(plan: Plan): Promise<Outcome> {
    const hand = this.idle.pop() ?? this.hire();
    const outcome = await new Promise<Outcome>((resolve, reject) => {
      const { worker } = hand;
      const settle = (act: () => void) => {
        worker.removeAllListeners('message').removeAllListeners('error');
        act();
      };
      worker.once('message', (found: Outcome) => settle(() => resolve(found)));
      worker.once('error', (error) => settle(() => reject(error)));
      worker.postMessage(plan);
    });
    if (++hand.done < runsPerWorker) this.idle.push(hand);
    else await hand.worker.terminate();
    return outcome;
  }

  /** Runs all plans, so many at once, until `isEnough`. Outcomes come as they are known. */
  async runAll(
    plans: Iterable<Plan>,
    atOnce: number,
    onOutcome: (outcome: Outcome) => void,
    isEnough: () => boolean,
  ): Promise<void> {
    const rest = plans[Symbol.iterator]();
    const one = async () => {
      for (let next = rest.next(); !next.done && !isEnough(); next = rest.next()) onOutcome(await this.run(next.value));
    };
    await Promise.all(Array.from({ length: atOnce }, one));
  }

  async close(): Promise<void> {
    await Promise.all(this.idle.splice(0).map(({ worker }) => worker.terminate()));
  }

  private hire(): Hand {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { assembly: this.assembly },
      resourceLimits: { maxOldGenerationSizeMb: oldSpaceMiB },
    });
    return { worker, done: 0 };
  }
}
