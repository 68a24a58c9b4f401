import type { Usage } from '../../../bench/usage.ts';
import { newTableLimits } from '../../../local/services/dynamodb/throughput.ts';
import type { AcceptedTask, Scene } from '../actions/action.ts';
import { ApiClient } from '../api-client.ts';
import { Checker } from '../checker.ts';
import { Ledger } from '../ledger.ts';
import { perform, type Work } from '../programs.ts';
import { isFinal } from '../transitions.ts';
import { Violation } from '../violation.ts';
import { World } from '../world.ts';
import { Census } from './census.ts';
import { Compute } from './compute.ts';
import { incompleteLogs } from './logs.ts';
import { type Peak, Peaks } from './peaks.ts';
import { type BigPlan, idleTimeoutSeconds } from './plan.ts';
import { type Spread, type WaitKind, Waits } from './waits.ts';
import { arrivalsOf, nightlyMs, workOf } from './workload.ts';

/** What a day of a fleet came to. */
export interface Day {
  plan: BigPlan;
  /** Tasks that were accepted, and of those how many never ended. */
  accepted: number;
  lost: number;
  finishedTwice: number;
  /** What is left when all agents are terminated. */
  orphans: { ecsTasks: number; bells: number; objects: number; parameters: number; schedules: number };
  /** The first invariant that was broken. */
  violation: string | undefined;
  /** From the first task to the last pause. */
  usage: Usage;
  logBytes: number;
  fargate: { tasks: number; seconds: number; vcpuSeconds: number; gibSeconds: number };
  waits: Record<WaitKind, Spread>;
  throttled: Record<string, number>;
  complaints: Record<string, number>;
  peaks: Peak[];
  rowsWritten: number;
  wallSeconds: number;
  cpuSeconds: number;
  peakMemoryMiB: number;
}

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
/** A look at everything there is; stopped ECS tasks are known for an hour. */
const lookEveryMs = 30 * minuteMs;
/** An agent is created, and terminated, after so long after the one before. */
const betweenAgentsMs = 50;
/** After its last task the fleet comes to rest within this time. */
const settleMs = 4 * hourMs;
/** Between two tries of a shim. */
const longestPauseMs = 20_000;
/** An AWS call of a function or a shim takes so long. */
const callMs = 5;
/** Streams are read at once; kept for a day they would fill the memory. */
const streamRetentionMs = 10 * minuteMs;

/** Lets a fleet live through its day and counts. Nothing goes wrong but what AWS's rates do. */
export async function liveThrough(plan: BigPlan, assembly: string, tell: (line: string) => void): Promise<Day> {
  const startedMs = realNow();
  const cpu = process.cpuUsage();
  const world = await World.start(
    { seed: plan.seed, agents: plan.agents, hours: plan.hours, faults: ['rates'], everySeconds: 0 },
    assembly,
    false,
    { streamRetentionMs, tableThroughput: newTableLimits },
  );
  const day = new DayOfFleet(world, plan, tell);
  try {
    await day.live();
  } catch (error) {
    if (!(error instanceof Violation)) world.fail(error instanceof Error ? (error.stack ?? error.message) : `${error}`);
  }
  const figures = await day.figures();
  const { user, system } = process.cpuUsage(cpu);
  await world.close();
  return { ...figures, wallSeconds: (realNow() - startedMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}

class DayOfFleet {
  private readonly world: World;
  private readonly plan: BigPlan;
  private readonly tell: (line: string) => void;
  private readonly ledger: Ledger;
  private readonly scene: Scene;
  private readonly checker: Checker;
  private readonly census: Census;
  private readonly compute: Compute;
  private readonly api: ApiClient;
  private readonly agentIds: string[] = [];
  /** What each agent's schedule lets it do. */
  private readonly nightly = new Map<string, Work>();
  private readonly ends = new Map<string, number>();
  private readonly originMs = realNow();
  private peaks: Peaks | undefined;
  private waits: Waits | undefined;
  private startMs = 0;
  private peakMemoryMiB = 0;
  private left: Day['orphans'] | undefined;

  constructor(world: World, plan: BigPlan, tell: (line: string) => void) {
    this.world = world;
    this.plan = plan;
    this.tell = tell;
    const { fleet } = world.stack;
    fleet.forgetsDead = true;
    fleet.program = (task, shim) => perform(world, task, shim);
    const random = world.random.fork('pauses');
    fleet.pause = (tries) => world.sleep(random.between(0, Math.min(longestPauseMs, 500 * 2 ** tries)));
    this.ledger = new Ledger(world);
    this.scene = {
      world,
      customers: [],
      templates: [],
      workflows: [],
      accepted: new Map<string, AcceptedTask>(),
      agentIds: new Set(),
      nextNumber: () => 0,
    };
    this.checker = new Checker(world, this.ledger, this.scene);
    this.census = new Census(world);
    this.compute = new Compute(world);
    this.api = new ApiClient(world, world.random.fork('api'));
    this.countEnds();
  }

  async live(): Promise<void> {
    const { world, plan } = this;
    await this.hire();
    this.startMs = Math.ceil(world.now() / hourMs) * hourMs;
    await this.runUntil(this.startMs);
    this.tell(`${plan.agents} agents are there`);
    const nightly = nightlyMs(plan, this.startMs);
    this.waits = new Waits(world, this.ledger, (timeMs) => timeMs >= nightly && timeMs < nightly + 10 * minuteMs);
    this.peaks = new Peaks(world);
    world.stack.aws.faults.add(({ principal }) =>
      principal?.includes(':assumed-role/') ? { kind: 'delay', delayMs: callMs } : undefined,
    );
    this.census.open();
    for (const [index, agentId] of this.agentIds.entries()) this.expect(index, agentId);
    await this.runUntil(this.startMs + plan.hours * hourMs);
    await this.settle();
    this.census.close();
    this.peaks.close();
    this.compute.look();
    this.tell('the day is over');
    this.checkAll();
    await this.until('logs that are not complete', () => incompleteLogs(world, this.ledger, this.api));
    if (world.violation) throw world.violation;
    this.tell('the logs are complete');
    await this.dismiss();
  }

  /** What is known, also when the day broke off. */
  async figures(): Promise<Omit<Day, 'wallSeconds' | 'cpuSeconds'>> {
    const { census, compute, ledger, scene, plan } = this;
    const lost = [...scene.accepted.keys()].filter((id) => !isFinal(ledger.records.get(id)?.status)).length;
    return {
      plan,
      accepted: scene.accepted.size,
      lost,
      finishedTwice: [...this.ends.values()].filter((count) => count > 1).length,
      orphans: this.left ?? (await this.leftovers()),
      violation: this.world.violation?.message,
      usage: census.usage(),
      logBytes: census.logBytes,
      fargate: {
        tasks: compute.tasks,
        seconds: compute.seconds,
        vcpuSeconds: compute.vcpuSeconds,
        gibSeconds: compute.gibSeconds,
      },
      waits: this.waits?.spreads() ?? noWaits,
      throttled: Object.fromEntries(census.throttled),
      complaints: Object.fromEntries(census.complaints),
      peaks: this.peaks?.all() ?? [],
      rowsWritten: ledger.writes,
      peakMemoryMiB: Math.round(this.peakMemoryMiB),
    };
  }

  /** Creates the agents, each with its nightly schedule. */
  private async hire(): Promise<void> {
    const { world, plan } = this;
    const body = { driver: { type: 'command', command: ['work'] }, idleTimeoutSeconds };
    world.background(() => this.ask('PUT', '/v1/templates/worker', body).then(() => {}));
    await world.runUntil(world.now() + secondMs);
    // The start is the next full hour, so the moment has to be asked for later than it is known.
    const startMs = Math.ceil((world.now() + plan.agents * betweenAgentsMs + minuteMs) / hourMs) * hourMs;
    const moment = new Date(nightlyMs(plan, startMs));
    const expression = `cron(${moment.getUTCMinutes()} ${moment.getUTCHours()} * * ? *)`;
    const random = world.random.fork('nightly');
    this.each(plan.agents, async (index) => {
      const input = workOf(random, index);
      const { id } = await this.ask('POST', '/v1/agents', { template: 'worker' });
      this.agentIds[index] = id;
      this.scene.agentIds.add(id);
      this.nightly.set(id, input);
      const target = { agentId: id, task: { input } };
      await this.ask('PUT', `/v1/schedules/${nameOf(index)}`, { expression, target });
    });
    await this.runUntil(startMs - minuteMs / 2);
    if (this.agentIds.filter(Boolean).length < plan.agents) world.fail('Not all agents could be created.');
  }

  /** What customers submit to an agent. */
  private expect(index: number, agentId: string): void {
    const { world, plan } = this;
    for (const { atMs, work } of arrivalsOf(world.random.fork(`agent ${index}`), plan, this.startMs))
      world.clock.at(atMs, () =>
        world.background(async () => {
          const { id } = await this.ask('POST', `/v1/agents/${agentId}/tasks`, { input: work });
          this.scene.accepted.set(id, { id, agentId, work });
        }),
      );
  }

  /** Everything ends, and everybody pauses. */
  private async settle(): Promise<void> {
    const { checker, world } = this;
    await this.until('unfinished tasks and runtimes', async () => [
      ...checker.unfinished(true),
      ...[...this.ledger.agents.values()].filter(({ runtimeId }) => runtimeId !== undefined).map(({ id }) => id),
    ]);
    // Runtimes stop for a while after their agents have let go of them.
    await this.runUntil(world.now() + 5 * minuteMs);
  }

  private checkAll(): void {
    const { world, ledger, scene, plan } = this;
    // What the schedules submitted: one task for each agent.
    for (const record of ledger.records.values()) {
      const [id, agentId] = [String(record.id), String(record.agentId)];
      if (scene.accepted.has(id)) continue;
      const work = this.nightly.get(agentId);
      if (!work) world.fail(`${id} is a second task of the night for ${agentId}.`, id);
      else scene.accepted.set(id, { id, agentId, work });
      this.nightly.delete(agentId);
    }
    if (scene.accepted.size !== plan.tasks) world.fail(`${scene.accepted.size} tasks were accepted, of ${plan.tasks}.`);
    this.checker.look();
    this.checker.checkTasks();
    if (world.violation) throw world.violation;
  }

  /** All agents are terminated, and nothing but their history stays. */
  private async dismiss(): Promise<void> {
    const { plan, world } = this;
    this.each(plan.agents, async (index) => {
      await this.api.ask({ method: 'DELETE', path: `/v1/schedules/${nameOf(index)}` });
      await this.api.ask({ method: 'DELETE', path: `/v1/agents/${this.agentIds[index]}` });
    });
    await this.runUntil(world.now() + plan.agents * betweenAgentsMs + 10 * minuteMs);
    // What the last credentials of an agent could still have written is removed when they have ended.
    await this.until('leftovers', async () => {
      this.left = await this.leftovers();
      return Object.entries(this.left).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
    });
    this.checker.look();
    if (world.violation) throw world.violation;
  }

  private async leftovers(): Promise<Day['orphans']> {
    const { aws } = this.world.stack;
    const bells = await this.world.stack.bells();
    const objects = await this.world.stack.objects('agents/');
    return {
      ecsTasks: aws.ecs.allTasks().filter(({ lastStatus }) => lastStatus !== 'STOPPED').length,
      bells: bells.length,
      objects: objects.length,
      // The admin key and the key of the tokens belong to the deployment.
      parameters: aws.ssm.names().filter((name) => !/\/(admin|token)-key$/.test(name)).length,
      schedules: aws.scheduler.names().filter((name) => name.includes('/nightly')).length,
    };
  }

  /** Moves the clock, looks at everything now and then, and says how it goes. */
  private async runUntil(untilMs: number): Promise<void> {
    const { world } = this;
    while (world.now() < untilMs) {
      const next = Math.min(untilMs, (Math.floor(world.now() / minuteMs) + 1) * minuteMs);
      await world.runUntil(next);
      this.census.readLogs();
      if (next % lookEveryMs === 0) this.look();
      if (next % hourMs === 0) this.report();
    }
    if (world.violation) throw world.violation;
  }

  private look(): void {
    this.checker.look();
    this.compute.look();
    this.peakMemoryMiB = Math.max(this.peakMemoryMiB, process.memoryUsage().rss / 2 ** 20);
  }

  private report(): void {
    const { ledger, world } = this;
    const seconds = Math.round((realNow() - this.originMs) / 1000);
    const heap = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
    const time = new Date(world.now()).toISOString().slice(5, 16);
    this.tell(
      `${time}: ${this.ends.size} of ${ledger.records.size} tasks have ended; ${world.stack.fleet.byRuntime.size} containers run; ${seconds} s, ${heap} MiB`,
    );
  }

  private async until(what: string, find: () => Promise<string[]>): Promise<void> {
    const { world } = this;
    const untilMs = world.now() + settleMs;
    for (;;) {
      const found = await this.whileTimePasses(find());
      if (found.length === 0) return;
      if (world.now() >= untilMs) {
        world.fail(
          `After ${settleMs / hourMs} hours there are ${found.length} ${what}: ${found.slice(0, 5).join('; ')}.`,
        );
        throw world.violation;
      }
      await this.runUntil(world.now() + minuteMs);
    }
  }

  /** Even a question takes time, the more when it is throttled. */
  private async whileTimePasses<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    this.world.background(() =>
      work
        .then(() => {})
        .finally(() => {
          isOver = true;
        }),
    );
    while (!isOver) await this.world.runUntil(this.world.now() + secondMs);
    return work;
  }

  /** Does something for each agent, one after the other by the clock. */
  private each(count: number, work: (index: number) => Promise<void>): void {
    const { world } = this;
    const startMs = world.now();
    const next = (index: number) => {
      if (index >= count) return;
      world.clock.at(startMs + index * betweenAgentsMs, () => {
        world.background(() => work(index));
        next(index + 1);
      });
    };
    next(0);
  }

  /** How often each task came to an end, by the rows of those that were not ended before. */
  private countEnds(): void {
    this.world.stack.aws.dynamodb.onStreamRecord((_table, { dynamodb: { Keys, NewImage, OldImage } }) => {
      if (!Keys.sk?.S?.startsWith('live#') || !NewImage) return;
      if (!isFinal(NewImage.status?.S) || NewImage.version?.N === OldImage?.version?.N) return;
      const id = NewImage.id?.S ?? '';
      this.ends.set(id, (this.ends.get(id) ?? 0) + 1);
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: any resource
  private async ask(method: string, path: string, body: unknown): Promise<any> {
    const answer = await this.api.ask({ method, path, body });
    if (answer && answer.status < 300) return answer.body;
    throw new Error(`${method} ${path} was answered with ${answer?.status}: ${JSON.stringify(answer?.body)}`);
  }
}

const noSpread: Spread = { tasks: 0, p50: 0, p90: 0, p99: 0, max: 0 };
const noWaits = { warm: noSpread, busy: noSpread, cold: noSpread, nightly: noSpread };

const nameOf = (index: number) => `nightly-${index}`;

/** Milliseconds of the machine's clock: the simulation has another. */
function realNow(): number {
  return performance.now();
}
