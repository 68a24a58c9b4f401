import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Driver, DriverOutcome, DriverRun, DriverSetting, DriverTask } from './drivers/driver.ts';
import { describeError, type Log } from './log.ts';
import { makeLogBatcher } from './log-batcher.ts';
import { prepareOutput } from './output.ts';
import type { ClaimedTask, Failure, Json, LogLine, Settled, TaskOutput } from './protocol.ts';
import { DisplacedError, FenceLostError, RefusedError, type RuntimeClient } from './runtime-client.ts';
import { type ContainerSize, usageOf } from './usage.ts';

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
}

/** Why a run ends before its driver does. The first reason stays, but `lost` beats all. */
type Ending = 'timed_out' | 'cancelled' | 'released' | 'lost';

export interface TaskRun {
  readonly task: ClaimedTask;
  /** Ends the processes with the template's grace; when they are gone, reports `cancelled`. */
  cancel(): void;
  /** Ends the processes; when they are gone, gives the task back to the queue. */
  handBack(reason: string, graceMs: number): void;
  /** Kills the processes and reports nothing: another attempt has the task, or this runtime is over. */
  lose(): void;
  /** Settles when the run is reported, or lost. Never rejects. */
  finished: Promise<void>;
}

type Report =
  | { kind: 'complete'; output: TaskOutput }
  | { kind: 'fail'; failure: Failure }
  | { kind: 'release'; reason: string };

/** Runs one attempt: input, driver, log lines, heartbeats, output, report. */
export function startTask(task: ClaimedTask, deps: TaskRunDependencies): TaskRun {
  const { client, clock, setting } = deps;
  const startedAt = clock.now();
  const over = new AbortController();
  const gone = new AbortController();
  const tokens = { input: 0, output: 0 };
  let ending: Ending | null = null;
  let releaseReason = '';
  let reporting = false;
  /** Saving and reporting are not the task's doing. */
  let endedAt: number | null = null;
  let running: DriverRun | null = null;
  let graceMs = setting.config.cancelGraceSeconds * 1000;

  const logs = makeLogBatcher(
    (lines, progress) => client.events(task, lines, progress, { signal: gone.signal }),
    clock,
    notice,
  );

  /** A call for this task failed for good: if the fence is lost, so is the run. */
  function notice(error: unknown): void {
    if (error instanceof FenceLostError) lose();
    else if (!gone.signal.aborted) deps.log.error('a call for a task failed', { taskId: task.id, error });
  }

  function endEarly(reason: Ending, grace = graceMs): void {
    if (ending !== null) return;
    ending = reason;
    graceMs = grace;
    running?.end(grace);
  }

  function lose(): void {
    ending = 'lost';
    gone.abort();
    logs.drop();
    running?.kill();
  }

  async function heartbeat(): Promise<void> {
    const intervalMs = (task.leaseSeconds * 1000) / 3;
    const retryMs = Math.min(intervalMs, 5_000);
    for (let waitMs = intervalMs; !over.signal.aborted; ) {
      await clock.sleep(waitMs, over.signal);
      if (over.signal.aborted) return;
      try {
        const { cancel } = await client.heartbeat(task, { patienceMs: 0, signal: over.signal });
        if (cancel) endEarly('cancelled');
        waitMs = intervalMs;
      } catch (error) {
        if (over.signal.aborted) return;
        notice(error);
        waitMs = retryMs;
      }
    }
  }

  async function enforceTimeout(driven: AbortSignal): Promise<void> {
    const until = clock.now() + task.timeoutSeconds * 1000;
    while (!driven.aborted && clock.now() < until) await clock.sleep(until - clock.now(), driven);
    if (!driven.aborted) endEarly('timed_out');
  }

  async function drive(input: Json | Buffer): Promise<DriverOutcome> {
    const driverTask: DriverTask = {
      task,
      input,
      onLine: logs.line,
      onProgress: logs.progress,
      onActivity: deps.onActivity,
      onTokens(more, out) {
        tokens.input += more;
        tokens.output += out;
      },
    };
    const driven = new AbortController();
    running = deps.driver(setting, driverTask);
    void enforceTimeout(driven.signal);
    try {
      return await running.outcome;
    } finally {
      driven.abort();
      running = null;
    }
  }

  async function perform(): Promise<Report | null> {
    const input = await readInput(task, deps.fetch, setting.config.driver.type, clock, gone.signal);
    if ('failure' in input) return reportOfEnding() ?? { kind: 'fail', failure: input.failure };
    const leaveWorkspace = await deps.enterWorkspace();
    let outcome: DriverOutcome | null = null;
    try {
      if (ending === null) outcome = await drive(input.input);
    } finally {
      leaveWorkspace();
    }
    const early = reportOfEnding();
    if (early !== undefined || outcome === null) return early ?? null;
    if ('failure' in outcome) return { kind: 'fail', failure: outcome.failure };
    const output = await prepareOutput(outcome, task.output ?? { type: 'text' }, {
      workspace: setting.workspace,
      maxInlineBytes: deps.maxInlineBytes,
      requestUrl: (bytes) => client.outputUrl(task, bytes, { signal: gone.signal }),
      fetch: deps.fetch,
      clock,
    });
    return 'failure' in output ? { kind: 'fail', failure: output.failure } : { kind: 'complete', output };
  }

  /** What an early end asks for; undefined if there was none, null if nothing is to be said. */
  function reportOfEnding(): Report | null | undefined {
    switch (ending) {
      case null:
        return undefined;
      case 'lost':
        return null;
      case 'released':
        return { kind: 'release', reason: releaseReason };
      case 'cancelled':
        return {
          kind: 'fail',
          failure: { code: 'cancelled', message: 'The task was cancelled; its processes are gone.' },
        };
      case 'timed_out':
        return {
          kind: 'fail',
          failure: {
            code: 'timed_out',
            message: `The task ran longer than its ${task.timeoutSeconds} s and was ended; its processes are gone.`,
          },
        };
      default:
        return ending satisfies never;
    }
  }

  async function send(report: Report, lines: LogLine[]): Promise<void> {
    const usage = usageOf((endedAt ?? clock.now()) - startedAt, deps.size, setting.config.concurrency, tokens);
    await deps.settle((slots) => {
      const options = { signal: gone.signal };
      switch (report.kind) {
        case 'complete':
          return client.complete(task, report.output, lines, usage, slots, options);
        case 'fail':
          return client.fail(task, report.failure, lines, usage, slots, options);
        case 'release':
          return client.release(task, report.reason, slots, options);
        default:
          return report satisfies never;
      }
    });
  }

  /** A report that the API refuses for its content becomes a failure that says so: the task must end. */
  async function report(first: Report, lines: LogLine[]): Promise<void> {
    try {
      await send(first, lines);
    } catch (error) {
      const final = error instanceof FenceLostError || error instanceof DisplacedError;
      if (!(error instanceof RefusedError) || final || first.kind !== 'complete') throw error;
      const code = error.status === 413 ? 'output_too_large' : 'output_invalid';
      await send({ kind: 'fail', failure: { code, message: `The answer was refused: ${error.message}` } }, lines);
    }
  }

  async function finish(): Promise<void> {
    let next: Report | null;
    try {
      next = await perform();
    } catch (error) {
      next = { kind: 'fail', failure: { code: 'driver_failed', message: describeError(error) } };
    }
    reporting = true;
    endedAt = clock.now();
    if (next?.kind === 'complete') await deps.saveBeforeCompletion();
    // A cancel, a stop or a lost fence may have come while the output was prepared or the workspace saved.
    const late = reportOfEnding();
    if (late !== undefined) next = late;
    if (next === null) return;
    if (next.kind === 'release') await logs.flush().catch(notice);
    const lines = await logs.rest().catch((error) => {
      notice(error);
      return [];
    });
    // What could not be sent may have cost the fence.
    if (ending !== 'lost') await report(next, lines);
  }

  void heartbeat();
  const finished = finish()
    .catch(notice)
    .finally(() => {
      over.abort();
      logs.drop();
    });

  return {
    task,
    cancel: () => endEarly('cancelled'),
    handBack(reason, grace) {
      // What has ended is about to be reported: that is better than to do it again.
      if (reporting) return;
      releaseReason = reason;
      if (ending === null) endEarly('released', grace);
      else void clock.sleep(grace, over.signal).then(() => running?.kill());
    },
    lose,
    finished,
  };
}

async function readInput(
  { input, inputUrl }: ClaimedTask,
  fetchUrl: typeof fetch,
  driver: 'command' | 'module',
  clock: Clock,
  signal: AbortSignal,
): Promise<{ input: Json | Buffer } | { failure: Failure }> {
  if (inputUrl === undefined) return { input: input ?? null };
  const unavailable = (why: string) => ({
    failure: { code: 'input_unavailable', message: `The task's input could not be read from S3: ${why}.` },
  });
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetchUrl(inputUrl, { signal });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.ok) {
        // A program gets the bytes as they are stored; only a module needs to know whether they are JSON.
        if (driver === 'command') return { input: body };
        return { input: asValue(body.toString('utf8'), response.headers.get('content-type')) };
      }
      if (response.status < 500 || tries === 4) return unavailable(`HTTP ${response.status}`);
    } catch (error) {
      if (tries === 4 || signal.aborted) return unavailable(describeError(error));
    }
    await clock.sleep(backoffMs(tries), signal);
  }
}

/** Large inputs are all stored as JSON by name, but a string is stored as it is. */
function asValue(text: string, contentType: string | null): Json {
  if (!contentType?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
