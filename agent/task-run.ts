import type { Clock } from './clock.ts';
import type { Driver, DriverOutcome, DriverRun, DriverSetting, DriverTask } from './drivers/driver.ts';
import { describeError, type Log } from './log.ts';
import { type LogBatcher, makeLogBatcher } from './log-batcher.ts';
import { Meter, overrun } from './meter.ts';
import { prepareOutput, upload } from './output.ts';
import type { Amounts, ClaimedTask, Failure, Json, LogLine, OutgoingMessage, Settled, TaskOutput } from './protocol.ts';
import { DisplacedError, FenceLostError, RefusedError, type RuntimeClient } from './runtime-client.ts';
import { packFiles, unpackAll } from './shared-files.ts';
import { readInput } from './task-input.ts';
import type { ContainerSize } from './usage.ts';

/** What a program with a budget tells goes to the API at once, but not more often than this. */
const tellEveryMs = 5_000;

/** What one attempt of a task needs from its runtime. */
export interface TaskRunDependencies {
  client: RuntimeClient;
  driver: Driver;
  setting: DriverSetting;
  maxInlineBytes: number;
  size: ContainerSize;
  fetch: typeof fetch;
  clock: Clock;
  log: Log;
  /** Makes the call that ends the task, with the number of places to offer, and obeys the instructions it brings. */
  settle(call: (slots: number) => Promise<Settled>): Promise<void>;
  /** Waits until no save is under way; the answer is to be called when the task's processes are gone. */
  enterWorkspace(): Promise<() => void>;
  /** Before the task completes: saves the workspace if it is due. Never rejects. */
  saveBeforeCompletion(): Promise<void>;
  /** An activity lease taken by the driver. */
  onActivity(seconds: number): void;
  /** It has used more than before. @returns whether its agent may go on */
  onUse(): boolean;
  /** Whether its agent has a budget. */
  hasBudget(): boolean;
}

/** Why a run ends before its driver does. The first reason stays, but `lost` beats all. */
type Ending = 'timed_out' | 'over_budget' | 'cancelled' | 'released' | 'lost';

export interface TaskRun {
  readonly task: ClaimedTask;
  /** Ends the processes with the template's grace; when they are gone, reports `cancelled`. */
  cancel(force?: boolean): void;
  /** Ends the processes; when they are gone, gives the task back to the queue. */
  handBack(reason: string, graceMs: number): void;
  /** Kills the processes and reports nothing: another attempt has the task, or this runtime is over. */
  lose(): void;
  /** What it has used until now. */
  amounts(): Amounts;
  /** Settles when the run is reported, or lost. Never rejects. */
  finished: Promise<void>;
}

type Report =
  | { kind: 'complete'; output: TaskOutput }
  | { kind: 'fail'; failure: Failure }
  | { kind: 'release'; reason: string };

/** Runs one attempt: input, driver, log lines, heartbeats, output, report. */
export function startTask(task: ClaimedTask, deps: TaskRunDependencies): TaskRun {
  return new Attempt(task, deps);
}

class Attempt implements TaskRun {
  readonly task: ClaimedTask;
  readonly finished: Promise<void>;
  readonly #deps: TaskRunDependencies;
  readonly #startedAt: number;
  readonly #logs: LogBatcher;
  /** Nothing of the run goes on. */
  readonly #over = new AbortController();
  /** The fence, or the runtime, is lost. */
  readonly #gone = new AbortController();
  readonly #meter: Meter;
  #overrun = '';
  /** It, or all of its agent, has used more than it may. */
  #isOverBudget = false;
  #isTelling = false;
  #toldAt = 0;
  /** Those that it has sent, which the API takes in their order. */
  #messages = 0;
  #lastSent: Promise<unknown> = Promise.resolve();
  #ending: Ending | null = null;
  #releaseReason = '';
  #reporting = false;
  #endedAt: number | null = null;
  #running: DriverRun | null = null;
  #graceMs: number;

  constructor(task: ClaimedTask, deps: TaskRunDependencies) {
    this.task = task;
    this.#deps = deps;
    this.#startedAt = deps.clock.now();
    this.#meter = new Meter(deps.size, deps.setting.config.concurrency, task.usdPerSecond ?? 0);
    this.#graceMs = deps.setting.config.cancelGraceSeconds * 1000;
    this.#logs = makeLogBatcher(
      (lines, progress) => deps.client.events(task, lines, progress, { signal: this.#gone.signal }),
      deps.clock,
      (error) => this.#notice(error),
    );
    void this.#heartbeat();
    this.finished = this.#finish()
      .catch((error) => this.#notice(error))
      .finally(() => {
        this.#over.abort();
        this.#logs.drop();
      });
  }

  /** @param force without grace; also when it is being cancelled with it */
  cancel(force = false): void {
    if (force) this.#ending ??= 'cancelled';
    else this.#endEarly('cancelled', this.#graceMs);
    // Whatever it is being ended for, with whatever grace.
    if (force) this.#running?.kill();
  }

  handBack(reason: string, graceMs: number): void {
    // What has ended is about to be reported: that is better than to do it again.
    if (this.#reporting) return;
    this.#releaseReason = reason;
    if (this.#ending === null) this.#endEarly('released', graceMs);
    else void this.#deps.clock.sleep(graceMs, this.#over.signal).then(() => this.#running?.kill());
  }

  amounts(): Amounts {
    return this.#meter.amounts(this.#ranMs());
  }

  lose(): void {
    this.#ending = 'lost';
    this.#gone.abort();
    this.#logs.drop();
    this.#running?.kill();
  }

  /** A call for this task failed for good: if the fence is lost, so is the run. */
  #notice(error: unknown): void {
    if (error instanceof FenceLostError) this.lose();
    else if (!this.#gone.signal.aborted)
      this.#deps.log.error('a call for a task failed', { taskId: this.task.id, error });
  }

  #endEarly(reason: Ending, graceMs: number): void {
    if (this.#ending !== null) return;
    this.#ending = reason;
    this.#graceMs = graceMs;
    this.#running?.end(graceMs);
  }

  async #heartbeat(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#over;
    const intervalMs = (this.task.leaseSeconds * 1000) / 3;
    const retryMs = Math.min(intervalMs, 5_000);
    for (let waitMs = intervalMs; !signal.aborted; ) {
      await clock.sleep(waitMs, signal);
      if (signal.aborted) return;
      this.#enforceBudget();
      try {
        await this.#beat();
        waitMs = intervalMs;
      } catch (error) {
        if (signal.aborted) return;
        this.#notice(error);
        waitMs = retryMs;
      }
    }
  }

  async #enforceTimeout(driven: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.now() + this.task.timeoutSeconds * 1000;
    while (!driven.aborted && clock.now() < until) await clock.sleep(until - clock.now(), driven);
    if (!driven.aborted) this.#endEarly('timed_out', this.#graceMs);
  }

  /** What was told is not to be lost with the container: a heartbeat takes it along, long before it would be time for one. */
  async #tellSoon(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    const { clock } = this.#deps;
    await clock.sleep(Math.max(0, this.#toldAt + tellEveryMs - clock.now()), this.#over.signal);
    this.#isTelling = false;
    this.#toldAt = clock.now();
    // One that does not get through is made up for by the next that is due.
    if (!this.#over.signal.aborted && !this.#reporting) await this.#beat().catch((error) => this.#notice(error));
  }

  async #beat(): Promise<void> {
    const usage = this.#meter.usage(this.#ranMs());
    const options = { patienceMs: 0, signal: this.#over.signal };
    const { cancel, force } = await this.#deps.client.heartbeat(this.task, usage, options);
    if (cancel) this.cancel(force);
  }

  /** Ends it when it has used more than it may; then the loop looks at what all tasks of the agent have used. */
  #enforceBudget(): void {
    if (this.#running === null) return;
    const excess = overrun(this.task.budget, [this.amounts()]);
    if (excess !== undefined) {
      this.#overrun = excess;
      this.#endEarly('over_budget', this.#graceMs);
    }
    this.#isOverBudget = !this.#deps.onUse() || excess !== undefined;
  }

  /** Bringing its answer to S3, saving and reporting are not the task's doing. */
  #ranMs(): number {
    return (this.#endedAt ?? this.#deps.clock.now()) - this.#startedAt;
  }

  async #drive(input: Json | Buffer): Promise<DriverOutcome> {
    const driverTask: DriverTask = {
      task: this.task,
      input,
      onLine: this.#logs.line,
      onProgress: this.#logs.progress,
      onActivity: this.#deps.onActivity,
      onSend: (message) => this.#sendMessage(message),
      onSpent: (spent) => {
        const wasOver = this.#isOverBudget;
        this.#meter.add(spent);
        this.#enforceBudget();
        // It was told to end, and spends on.
        if (wasOver && this.#isOverBudget) this.#running?.kill();
        else if (this.task.budget || this.#deps.hasBudget()) void this.#tellSoon();
      },
    };
    const driven = new AbortController();
    const running = this.#deps.driver(this.#deps.setting, driverTask);
    this.#running = running;
    void this.#enforceTimeout(driven.signal);
    try {
      return await running.outcome;
    } finally {
      driven.abort();
      this.#running = null;
      this.#endedAt = this.#deps.clock.now();
    }
  }

  #sendMessage(message: OutgoingMessage): Promise<{ id: string }> {
    this.#messages += 1;
    const n = this.#messages;
    const send = () => this.#deps.client.send(this.task, n, message, { signal: this.#gone.signal });
    const sent = this.#lastSent.then(send);
    this.#lastSent = sent.catch((error) => {
      if (error instanceof FenceLostError) this.lose();
    });
    return sent;
  }

  async #perform(): Promise<Report | null> {
    const { client, clock, setting, fetch, enterWorkspace, maxInlineBytes } = this.#deps;
    const { signal } = this.#gone;
    const input = await readInput(this.task, fetch, setting.config.driver.type, clock, signal);
    if ('failure' in input) return this.#reportOfEnding() ?? { kind: 'fail', failure: input.failure };
    const leaveWorkspace = await enterWorkspace();
    let outcome: DriverOutcome | null = null;
    try {
      const unpacked = await unpackAll(this.task.imports ?? [], setting.workspace, setting.user, {
        fetch,
        clock,
        signal,
      });
      if (this.#ending === null) outcome = unpacked ?? (await this.#drive(input.input));
    } finally {
      leaveWorkspace();
    }
    const early = this.#reportOfEnding();
    if (early !== undefined || outcome === null) return early ?? null;
    if ('failure' in outcome) return { kind: 'fail', failure: outcome.failure };
    const output = await prepareOutput(outcome, this.task.output ?? { type: 'text' }, {
      workspace: setting.workspace,
      maxInlineBytes,
      requestUrl: (bytes) => client.outputUrl(this.task, 'output', bytes, { signal }),
      fetch,
      clock,
    });
    if ('failure' in output) return { kind: 'fail', failure: output.failure };
    const exported = await this.#export();
    if (exported && 'failure' in exported) return { kind: 'fail', failure: exported.failure };
    return { kind: 'complete', output: { ...output, ...exported } };
  }

  /** Brings the files that the task gives to others to S3. */
  async #export(): Promise<Pick<TaskOutput, 'exportsRef'> | { failure: Failure } | undefined> {
    if (!this.task.exports) return undefined;
    const { client, clock, setting, fetch } = this.#deps;
    const pack = await packFiles(setting.workspace, this.task.exports);
    if ('failure' in pack) return pack;
    const requestUrl = (bytes: number) => client.outputUrl(this.task, 'exports', bytes, { signal: this.#gone.signal });
    const body = new Blob([pack as Buffer<ArrayBuffer>], { type: 'application/zstd' });
    return { exportsRef: await upload(body, { requestUrl, fetch, clock }) };
  }

  /** What an early end asks for; undefined if there was none, null if nothing is to be said. */
  #reportOfEnding(): Report | null | undefined {
    const failed = (code: string, message: string): Report => ({ kind: 'fail', failure: { code, message } });
    switch (this.#ending) {
      case null:
        return undefined;
      case 'lost':
        return null;
      case 'released':
        return { kind: 'release', reason: this.#releaseReason };
      case 'cancelled':
        return failed('cancelled', 'The task was cancelled; its processes are gone.');
      case 'timed_out': {
        const { timeoutSeconds } = this.task;
        return failed(
          'timed_out',
          `The task ran longer than its ${timeoutSeconds} s and was ended; its processes are gone.`,
        );
      }
      case 'over_budget':
        return failed('budget_exceeded', `The task has used ${this.#overrun}. Its processes are gone.`);
      default:
        return this.#ending satisfies never;
    }
  }

  async #send(report: Report, lines: LogLine[]): Promise<void> {
    const { client, settle } = this.#deps;
    const usage = this.#meter.usage(this.#ranMs());
    await settle((slots) => {
      const options = { signal: this.#gone.signal };
      switch (report.kind) {
        case 'complete':
          return client.complete(this.task, report.output, lines, usage, slots, options);
        case 'fail':
          return client.fail(this.task, report.failure, lines, usage, slots, options);
        case 'release':
          return client.release(this.task, report.reason, usage, slots, options);
        default:
          return report satisfies never;
      }
    });
  }

  /** A report that the API refuses for its content becomes a failure that says so: the task must end. */
  async #report(first: Report, lines: LogLine[]): Promise<void> {
    try {
      await this.#send(first, lines);
    } catch (error) {
      const final = error instanceof FenceLostError || error instanceof DisplacedError;
      if (!(error instanceof RefusedError) || final || first.kind !== 'complete') throw error;
      const code = error.status === 413 ? 'output_too_large' : 'output_invalid';
      const failure = { code, message: `The answer was refused: ${error.message}` };
      await this.#send({ kind: 'fail', failure }, lines);
    }
  }

  async #finish(): Promise<void> {
    let next: Report | null;
    try {
      next = await this.#perform();
    } catch (error) {
      next = { kind: 'fail', failure: { code: 'driver_failed', message: describeError(error) } };
    }
    this.#reporting = true;
    this.#endedAt ??= this.#deps.clock.now();
    if (next?.kind === 'complete') await this.#deps.saveBeforeCompletion();
    // A cancel, a stop or a lost fence may have come while the output was prepared or the workspace saved.
    const late = this.#reportOfEnding();
    if (late !== undefined) next = late;
    if (next === null) return;
    const lines = await this.#lastLines(next);
    // What could not be sent may have cost the fence.
    if (!this.#gone.signal.aborted) await this.#report(next, lines);
  }

  /** A release takes no lines along, so they are sent before it. */
  async #lastLines(report: Report): Promise<LogLine[]> {
    try {
      if (report.kind === 'release') await this.#logs.flush();
      return await this.#logs.rest();
    } catch (error) {
      this.#notice(error);
      return [];
    }
  }
}
