import { PathTable } from '../../lib/http/path-table.ts';
import { contracts } from '../../lib/http/routes/index.ts';
import { ManualClock } from '../../local/clock.ts';
import { InProcessStack, type StackOptions } from '../support/in-process-stack.ts';
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
  /** Routes that were asked, as `METHOD /path/{parameter}`. */
  readonly routes = new Set<string>();
  /** The first invariant that was broken ends the run. */
  violation: Violation | undefined;
  /** What was deployed when, latest last. */
  /** Agents whose files were damaged behind their backs. */
  readonly rotten = new Set<string>();
  private readonly settings: { sinceMs: number; variables: Record<string, string> }[] = [];
  /** Called after each step of the clock, when nothing is under way. */
  afterStep: () => void = () => {};

  static async start(
    plan: Plan,
    assembly: string,
    keepsTrace: boolean,
    options: Pick<StackOptions, 'streamRetentionMs' | 'tableThroughput'> = {},
  ): Promise<World> {
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
    const seed = `stack ${plan.seed}`;
    const stack = await InProcessStack.start(assembly, { clock, seed, skewMs, taskDelays, ...options });
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
    stack.onRequest = (method, path) => {
      const match = routeTable.find(method, path.split('?', 1)[0]!);
      if (match.kind === 'found') this.routes.add(match.value);
    };
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

  /** Deploys the same functions with other settings. */
  deploy(settings: Record<string, string>): void {
    const told = Object.entries(settings).map(([name, value]) => `${name.replace('ROUSE_', '')}=${value || 'none'}`);
    this.tell(`operator deploys ${told.join(' ')}`);
    this.settings.push({ sinceMs: this.now(), variables: settings });
    this.stack.configure(settings);
  }

  /** The highest that a limit was in the last `withinMs`; without a limit, infinity. */
  limitOf(variable: string, withinMs: number): number {
    const { settings } = this;
    const fromMs = this.now() - withinMs;
    const first = settings.findLastIndex(({ sinceMs }) => sinceMs <= fromMs);
    if (first < 0) return Number.POSITIVE_INFINITY;
    return Math.max(
      ...settings.slice(first).map(({ variables }) => Number(variables[variable] || Number.POSITIVE_INFINITY)),
    );
  }

  /** Since when there has always been such a limit, or undefined when there is none. */
  limitSince(variable: string): number | undefined {
    const lifted = this.settings.findLastIndex(({ variables }) => !variables[variable]);
    return this.settings[lifted + 1]?.sinceMs;
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

const routeTable = new PathTable<string>();
for (const { method, path } of contracts) routeTable.add(method, path, `${method} ${path}`);

/** Timers of one moment. More of them are an endless loop. */
const mostStepsAtOnce = 20_000;
/** Clocks of AWS's machines differ by less than this. */
const maxSkewMs = 1500;
