import { ManualClock } from '../../local/clock.ts';
import { InProcessStack } from '../support/in-process-stack.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import { Realm } from './realm.ts';
import { Trace } from './trace.ts';
import { Violation } from './violation.ts';

/** What a simulation consists of: the stack, its clock, chance, and the record of all that happens. */
export class World {
  readonly plan: Plan;
  readonly clock: ManualClock;
  readonly realm: Realm;
  readonly stack: InProcessStack;
  readonly random: Random;
  readonly trace: Trace;
  /** Nothing goes wrong any more, or yet. */
  calm = true;
  /** The first invariant that was broken ends the run. */
  violation: Violation | undefined;
  /** Called after each step of the clock, when nothing is under way. */
  afterStep: () => void = () => {};

  static async start(plan: Plan, assembly: string, keepsTrace: boolean): Promise<World> {
    const clock = new ManualClock();
    const realm = Realm.enter(clock, `realm ${plan.seed}`);
    const random = new Random(`plan ${plan.seed}`);
    const skews = random.fork('skew');
    const skewOf = new Map<string, number>();
    const skewMs = (name: string) => {
      if (!plan.faults.includes('skew')) return 0;
      if (!skewOf.has(name)) skewOf.set(name, Math.round(skews.between(-maxSkewMs, maxSkewMs)));
      return skewOf.get(name)!;
    };
    // Fargate takes 20 to 90 s from RunTask to the first line of the program.
    const taskDelays = { provisioningMs: 12_000, pullMs: 8_000, deprovisioningMs: 5_000 };
    const stack = await InProcessStack.start(assembly, { clock, seed: `stack ${plan.seed}`, skewMs, taskDelays });
    return new World(plan, clock, realm, stack, random, new Trace(clock.now(), keepsTrace));
  }

  private constructor(
    plan: Plan,
    clock: ManualClock,
    realm: Realm,
    stack: InProcessStack,
    random: Random,
    trace: Trace,
  ) {
    this.plan = plan;
    this.clock = clock;
    this.realm = realm;
    this.stack = stack;
    this.random = random;
    this.trace = trace;
  }

  now(): number {
    return this.clock.now();
  }

  tell(text: string): void {
    this.trace.add(this.clock.now(), text);
  }

  /** Says that an invariant is broken. The first one counts. */
  fail(message: string, ...ids: string[]): void {
    this.tell(`VIOLATION: ${message}`);
    this.violation ??= new Violation(message, ids);
  }

  /** Waits by the clock of the simulation. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.at(this.clock.now() + Math.ceil(ms), resolve));
  }

  /** Does something at the same time as everything else. What it throws is a violation. */
  background(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
  }

  /** Moves the clock until `untilMs`, or until an invariant is broken. */
  async runUntil(untilMs: number): Promise<void> {
    await this.realm.quiet();
    let lastMs = this.now();
    let steps = 0;
    while (!this.violation && this.clock.step(untilMs)) {
      await this.realm.quiet();
      steps = this.now() === lastMs ? steps + 1 : 0;
      lastMs = this.now();
      if (steps > mostStepsAtOnce) this.fail('Somebody does the same again and again, and no time passes.');
      this.afterStep();
    }
    if (this.violation) throw this.violation;
  }

  async close(): Promise<void> {
    await this.stack.aws.close();
    Realm.leave();
  }
}

/** Timers of one moment. More of them are an endless loop. */
const mostStepsAtOnce = 20_000;
/** Clocks of AWS's machines differ by less than this. */
const maxSkewMs = 1500;
