import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { describeError } from './log.ts';
import { laterOf, overrun } from './meter.ts';
import type { BudgetState, ClaimedTask, Instructions, RuntimeConfig, StopReason } from './protocol.ts';
import type { DisplacedError, RuntimeClient } from './runtime-client.ts';
import { makeSlots } from './slots.ts';
import { splitStopBudget } from './stop-budget.ts';
import type { TaskRun, TaskRunDependencies } from './task-run.ts';
import type { WorkspaceKeeper } from './workspace-keeper.ts';

/** How the shim ends: with which exit code, and why. */
export interface Exit {
  code: number;
  why: string;
}

export interface LoopDependencies {
  client: RuntimeClient;
  config: RuntimeConfig;
  /** When the runtime started, in milliseconds since the epoch: its lifetime counts from here. */
  startedAt: number;
  keeper: WorkspaceKeeper;
  /** Starts a task with the loop's part of its dependencies. */
  startTask(
    task: ClaimedTask,
    hooks: Pick<TaskRunDependencies, 'settle' | 'onActivity' | 'onUse' | 'hasBudget'>,
  ): TaskRun;
  clock: Clock;
  log: Log;
}

/** With a free place the shim asks this often, whatever the bell says. */
const claimEveryMs = 30_000;
/** With none it asks for orders only: rings can get lost, and heartbeats bring no stop. */
const busyClaimEveryMs = 120_000;
/** Between a claim and the next for what that one said is due. */
const leastPauseMs = 100;
/** Without an answer for so long, an idle shim gives up: its agent surely has another runtime by then. */
const giveUpAfterMs = 10 * 60_000;
/** How long tasks may go on when the runtime's lifetime is over. */
const lifetimeGraceMs = 10 * 60_000;
/** How long a stop that nobody waits for may fail to save or to say goodbye. */
const stopPatienceMs = 5 * 60_000;
/** When an idle runtime could not save, or may not stop but has nothing to do, it tries again after this. */
const leaveAgainMs = 15_000;
/** Fences of so many ended tasks are remembered, to know an answer that comes twice. */
const rememberedFences = 1_000;

/**
 * The life of a runtime between enrolment and goodbye: claims, runs, obeys, idles, stops. All that happens to it comes
 * in through `ring`, `terminate`, `displace` and the answers to its own calls; each wakes the loop, which then looks at
 * the whole state anew.
 */
export class Loop {
  readonly #deps: LoopDependencies;
  readonly #running = new Map<string, TaskRun>();
  /** Those of the running whose end is being reported: their places are free again. */
  readonly #leaving = new Set<TaskRun>();
  readonly #fences = new Map<string, number>();
  readonly #slots;
  /** Aborts what the loop waits for, when nothing but its end matters any more. */
  readonly #interrupt = new AbortController();
  #wake = new AbortController();
  #stop: { reason: StopReason; force: boolean } | null = null;
  #displaced: DisplacedError | null = null;
  #rung = true;
  #claimedAt = 0;
  #claimFailures = 0;
  #claimNotBefore = 0;
  #leaveNotBefore = 0;
  #nextDueAt: number | null = null;
  #activeUntil: number;
  /** Of the agent. */
  #budget: BudgetState | undefined;
  /** More was used than that: everything goes back. When nothing runs any more, the API knows best what may. */
  #isOverBudget = false;

  constructor(deps: LoopDependencies) {
    this.#deps = deps;
    this.#slots = makeSlots(deps.config.concurrency, () => this.#running.size - this.#leaving.size);
    this.#activeUntil = deps.clock.now();
  }

  /** The bell rang: look. */
  ring(): void {
    this.#rung = true;
    this.#wake.abort();
  }

  /** SIGTERM came: hand back, save, say goodbye, within the time that ECS gives. */
  terminate(): void {
    this.#stop = { reason: 'signal', force: true };
    this.#interrupt.abort();
    this.#wake.abort();
  }

  /** This runtime is nobody's any more: kill and exit. */
  displace(error: DisplacedError): void {
    this.#displaced = error;
    this.#interrupt.abort();
    this.#wake.abort();
  }

  /** Runs until the shim has to exit. Never rejects for what the network does. */
  async run(): Promise<Exit> {
    for (;;) {
      if (this.#displaced) return await this.#abandon(this.#displaced);
      if (this.#stop?.reason === 'signal') return await this.#goBySignal();
      this.#checkLifetime();
      if (this.#stop?.force) this.#handBackAll('stopping', this.#deps.config.cancelGraceSeconds * 1000);
      const exit = await this.#step();
      if (exit !== null) return exit;
    }
  }

  async #step(): Promise<Exit | null> {
    const { clock, keeper } = this.#deps;
    const now = clock.now();
    // A ring goes before leaving: a runtime with no idle time at all still claims once.
    if (this.#rung && now >= this.#claimAt()) return await this.#claim();
    if (this.#running.size === 0 && now >= this.#leaveAt()) return await this.#leave(this.#stop?.reason ?? 'idle');
    if (now >= this.#claimAt()) return await this.#claim();
    const saveAt = this.#running.size === 0 ? (keeper.dueAt() ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    if (now >= saveAt) {
      await keeper.saveAfterTask();
      return null;
    }
    const leaveAt = this.#running.size === 0 ? this.#leaveAt() : Number.POSITIVE_INFINITY;
    await this.#waitUntil(Math.min(leaveAt, this.#claimAt(), saveAt, this.#lifetimeAt()));
    return null;
  }

  async #waitUntil(time: number): Promise<void> {
    if (!this.#wake.signal.aborted) {
      await this.#deps.clock.sleep(Math.max(0, time - this.#deps.clock.now()), this.#wake.signal);
    }
    this.#wake = new AbortController();
  }

  /** When a runtime with nothing to do stops: at once if it was told to, else when it has idled long enough. */
  #leaveAt(): number {
    const idleAt = this.#activeUntil + this.#deps.config.idleTimeoutSeconds * 1000;
    return Math.max(this.#leaveNotBefore, this.#stop === null ? idleAt : 0);
  }

  #claimAt(): number {
    const every = this.#open() && this.#slots.free() > 0 ? claimEveryMs : busyClaimEveryMs;
    const due =
      this.#open() && this.#slots.free() > 0 ? (this.#nextDueAt ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
    // The function's clock may be behind: what is due by this one may not be by that.
    const paced = Math.max(due, this.#claimedAt + leastPauseMs);
    return Math.max(this.#claimNotBefore, this.#rung ? 0 : Math.min(this.#claimedAt + every, paced));
  }

  /** The next moment at which the lifetime changes something. */
  #lifetimeAt(): number {
    const over = this.#deps.startedAt + this.#deps.config.maxLifetimeSeconds * 1000;
    if (this.#stop === null) return over;
    return this.#stop.reason === 'lifetime' && !this.#stop.force ? over + lifetimeGraceMs : Number.POSITIVE_INFINITY;
  }

  #checkLifetime(): void {
    if (this.#deps.clock.now() < this.#lifetimeAt()) return;
    this.#stop = { reason: 'lifetime', force: this.#stop !== null };
  }

  /** Whether new work is welcome. */
  #open(): boolean {
    return this.#stop === null && !this.#isOverBudget;
  }

  async #claim(): Promise<Exit | null> {
    const { client, clock, log } = this.#deps;
    this.#rung = false;
    this.#claimedAt = clock.now();
    this.#nextDueAt = null;
    const running = [...this.#running.values()].map(({ task }) => ({ taskId: task.id, fence: task.fence }));
    try {
      await this.#slots.offer(this.#open(), async (slots) => {
        const instructions = await client.claim(slots, running, { patienceMs: 0, signal: this.#interrupt.signal });
        this.#obey(instructions);
      });
      this.#claimFailures = 0;
      this.#claimNotBefore = 0;
    } catch (error) {
      if (this.#interrupt.signal.aborted) return null;
      this.#claimFailures++;
      this.#rung = true;
      this.#claimNotBefore = clock.now() + backoffMs(this.#claimFailures);
      if (this.#claimFailures === 1) log.error('a claim failed; trying on', { error });
      const silentMs = clock.now() - client.lastAnswerAt();
      if (this.#running.size === 0 && silentMs > giveUpAfterMs) {
        return { code: 1, why: `the API has not answered for ${Math.round(silentMs / 1000)} s` };
      }
    }
    return null;
  }

  #obey(instructions: Instructions): void {
    const { stop, nextDueAt, activeUntil } = instructions;
    if (stop === null) this.#budget = laterOf(this.#budget, instructions.budget);
    if (stop !== null && this.#stop?.reason !== 'signal') {
      this.#stop = { reason: this.#stop?.reason ?? 'requested', force: stop.force || (this.#stop?.force ?? false) };
    }
    this.#nextDueAt = nextDueAt === null ? null : Date.parse(nextDueAt);
    if (activeUntil !== null) this.#activeUntil = Math.max(this.#activeUntil, Date.parse(activeUntil));
    for (const task of instructions.tasks) this.#begin(task);
    for (const { taskId, fence, force } of instructions.cancel) {
      const run = this.#running.get(taskId);
      if (run?.task.fence === fence) run.cancel(force);
    }
    this.#claimedAt = this.#deps.clock.now();
    this.#wake.abort();
  }

  #begin(task: ClaimedTask): void {
    // Two answers under way may bring the same task.
    if ((this.#fences.get(task.id) ?? -1) >= task.fence) return;
    this.#fences.delete(task.id);
    this.#fences.set(task.id, task.fence);
    for (const id of this.#fences.keys()) {
      if (this.#fences.size <= rememberedFences) break;
      if (!this.#running.has(id)) this.#fences.delete(id);
    }
    const older = this.#running.get(task.id);
    if (older !== undefined) {
      older.lose();
      this.#leaving.delete(older);
    }
    const run = this.#deps.startTask(task, {
      settle: (call) => {
        if (this.#running.get(task.id) === run) this.#leaving.add(run);
        return this.#slots.offer(this.#open(), async (slots) => {
          const { instructions } = await call(slots);
          this.#retire(run);
          this.#obey(instructions);
        });
      },
      onActivity: (seconds) => void this.#takeActivityLease(seconds),
      onUse: () => this.#enforceBudget(),
      hasBudget: () => this.#budget !== undefined,
    });
    this.#running.set(task.id, run);
    void run.finished.then(() => {
      // Its end brought no instructions, so its place has to be offered by a claim.
      if (this.#retire(run)) this.#rung = true;
    });
  }

  #retire(run: TaskRun): boolean {
    this.#leaving.delete(run);
    if (this.#running.get(run.task.id) !== run) return false;
    this.#running.delete(run.task.id);
    if (this.#running.size === 0) this.#isOverBudget = false;
    this.#activeUntil = Math.max(this.#activeUntil, this.#deps.clock.now());
    this.#wake.abort();
    return true;
  }

  async #takeActivityLease(seconds: number): Promise<void> {
    try {
      const { until } = await this.#deps.client.activity(seconds);
      this.#activeUntil = Math.max(this.#activeUntil, Date.parse(until));
      this.#wake.abort();
    } catch (error) {
      this.#deps.log.error('an activity lease was not granted', { error });
    }
  }

  /** What runs goes back to the queue when it and what ran before has used more than the agent may. */
  #enforceBudget(): boolean {
    // Whose end is being reported may be counted among those that have ended.
    const running = [...this.#running.values()].filter((run) => !this.#leaving.has(run));
    const excess = overrun(
      this.#budget,
      running.map((run) => run.amounts()),
    );
    if (excess === undefined) return true;
    this.#isOverBudget = true;
    this.#handBackAll(`its agent has used ${excess}`, this.#deps.config.cancelGraceSeconds * 1000);
    return false;
  }

  #handBackAll(reason: string, graceMs: number): void {
    for (const run of this.#running.values()) run.handBack(reason, graceMs);
  }

  /** Saves and says goodbye; null if there is a reason to go on. */
  async #leave(reason: StopReason): Promise<Exit | null> {
    const { client, clock, log } = this.#deps;
    const problem = await this.#saveToLeave(reason);
    if (this.#interrupt.signal.aborted) return null;
    if (problem !== null && reason === 'idle') {
      this.#leaveNotBefore = clock.now() + leaveAgainMs;
      return null;
    }
    try {
      const answer = await client.stop(problem === null ? reason : 'workspace_failed', problem ?? undefined, {
        patienceMs: stopPatienceMs,
        signal: this.#interrupt.signal,
      });
      if (answer.stop) return { code: problem === null ? 0 : 1, why: problem ?? reason };
      log.info('there is a reason to go on', { reason });
      if (answer.instructions.tasks.length === 0) this.#leaveNotBefore = clock.now() + leaveAgainMs;
      this.#obey(answer.instructions);
      return null;
    } catch (error) {
      if (this.#interrupt.signal.aborted) return null;
      return { code: 1, why: `the goodbye did not get through: ${describeError(error)}` };
    }
  }

  /** What is wrong with the last save, or null. Only an idle runtime may take it easy: the others have to go. */
  async #saveToLeave(reason: StopReason): Promise<string | null> {
    const { keeper, clock, log } = this.#deps;
    const interrupted = new Promise<void>((resolve) => {
      this.#interrupt.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const until = clock.now() + stopPatienceMs;
    for (let tries = 1; ; tries++) {
      try {
        await Promise.race([keeper.saveNow(), interrupted]);
        return null;
      } catch (error) {
        log.error('the workspace could not be saved', { error, reason });
        if (reason === 'idle' || clock.now() > until) {
          return `The workspace could not be saved: ${describeError(error)}.`;
        }
        await clock.sleep(backoffMs(tries + 2), this.#interrupt.signal);
      }
    }
  }

  async #goBySignal(): Promise<Exit> {
    const { client, config, keeper, clock, log } = this.#deps;
    const { driversMs, saveMs, commitMs } = splitStopBudget(config.stopTimeoutSeconds);
    this.#handBackAll('signal', driversMs * 0.8);
    await this.#settled(driversMs);
    const deadline = new AbortController();
    void clock.sleep(saveMs, deadline.signal).then(() => deadline.abort(new Error('The time to save was over.')));
    const detail = await Promise.race([
      keeper.saveNow(deadline.signal).then(() => undefined, describeError),
      new Promise<string>((resolve) => {
        deadline.signal.addEventListener('abort', () => resolve('The time to save was over.'));
      }),
    ]);
    if (detail !== undefined) log.error('the workspace could not be saved', { detail });
    await this.#settled(commitMs / 2);
    deadline.abort();
    if (this.#displaced) return await this.#abandon(this.#displaced);
    try {
      await client.stop('signal', detail, { patienceMs: commitMs / 2 });
    } catch (error) {
      log.error('the goodbye did not get through', { error });
    }
    return { code: 0, why: 'signal' };
  }

  async #abandon(error: DisplacedError): Promise<Exit> {
    for (const run of this.#running.values()) run.lose();
    await this.#settled(5_000);
    return { code: error.code === 'runtime_replaced' ? 0 : 1, why: error.message };
  }

  /** Waits for all runs to be reported or lost, but not longer than `milliseconds`. */
  async #settled(milliseconds: number): Promise<void> {
    const enough = new AbortController();
    const all = Promise.all([...this.#running.values()].map(({ finished }) => finished));
    await Promise.race([all, this.#deps.clock.sleep(milliseconds, enough.signal)]);
    enough.abort();
  }
}
