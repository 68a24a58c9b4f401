import { amountsOf, type Budget, isExceeded, isUsedUp, usedOf } from './budget.ts';
import { type Measured, priced, sinceThen, sumOf, type Usage } from './cost.ts';
import type { EventDraft } from './event.ts';
import { type Message, messageIdOf } from './message.ts';
import type { Parent } from './parent.ts';
import { type RetryPolicy, retryDelayMs } from './retry.ts';

/** What every live row of an unfinished task holds, whatever its status. */
interface TaskBase {
  id: string;
  agentId: string;
  tenant: string;
  /** Its place in the agent's queue: when it was created, or may start, in milliseconds, less its head start. */
  place: number;
  /** Rises by one with every write that changes the task. */
  version: number;
  /** Rises with every claim, and is the fence: only the holder of the current one may finish the task. */
  attempt: number;
  /** Attempts that the task itself is to blame for. */
  failures: number;
  /** Attempts whose runtime died under them. Nobody is to blame for one; a task that loses every one is. */
  losses?: number | undefined;
  maxAttempts: number;
  timeoutSeconds: number;
  /** How long a running attempt may be silent. */
  leaseSeconds: number;
  createdMs: number;
  /** Not to be started before this. */
  notBeforeMs: number;
  /** Given up unless started by then. */
  expiresMs?: number | undefined;
  statusReason?: string | undefined;
  /** When it came back to the queue, if it did. */
  requeuedMs?: number | undefined;
  lastError?: TaskError | undefined;
  /** The most that all attempts together may use. */
  budget?: Budget | undefined;
  /** What attempts used that came back to the queue. */
  usedBefore?: Outcome['usage'];
  firstStartedMs?: number | undefined;
  /** Who hears of its end. */
  parent?: Parent | undefined;
  /** A paused agent does not start for it; see {@link wakesNobody}. */
  wakes?: false | undefined;
}

export interface TaskError {
  code: string;
  message: string;
}

export interface QueuedTask extends TaskBase {
  status: 'queued';
}

/** An attempt that a runtime holds. */
interface Held extends TaskBase {
  runtimeId: string;
  startedMs: number;
  leaseUntilMs: number;
  /** What a second of its attempt costs. */
  usdPerSecond?: number | undefined;
  /** What its attempt had used at its last heartbeat. */
  used?: Usage | undefined;
  /** What its attempt uses counts against the budget of its agent. */
  charged?: true | undefined;
}

export interface RunningTask extends Held {
  status: 'running';
}

export interface CancellingTask extends Held {
  status: 'cancelling';
  cancelRequestedMs: number;
  /** It is killed without grace. */
  force?: boolean | undefined;
}

export const finalStatuses = ['succeeded', 'failed', 'cancelled', 'timed_out', 'expired'] as const;
export type FinalStatus = (typeof finalStatuses)[number];

/** Committed, but its record may not know yet. The row carries what the record needs, so that anyone can finish it. */
export interface FinishedTask extends TaskBase {
  status: FinalStatus;
  finishedMs: number;
  startedMs?: number | undefined;
  runtimeId?: string | undefined;
  outcome: Outcome;
}

export interface Outcome {
  /** A small output itself. */
  output?: unknown;
  /** The output waits in the record, written under this fence. */
  drafted?: number | undefined;
  /** Key of an output in the bucket. */
  outputKey?: string | undefined;
  outputBytes?: number | undefined;
  /** Key of the files that it gives to others. */
  exportsKey?: string | undefined;
  error?: TaskError | undefined;
  usage?: Partial<Usage> | undefined;
  /** Generation of the workspace that holds what the task did. */
  generation?: number | undefined;
}

export type LiveTask = QueuedTask | RunningTask | CancellingTask | FinishedTask;
export type TaskStatus = LiveTask['status'];

/** A transition's new state and what it says has happened. */
export interface TaskDecision<T extends LiveTask = LiveTask> {
  task: T;
  events: EventDraft[];
}

export function isFinished(task: LiveTask): task is FinishedTask {
  return (finalStatuses as readonly string[]).includes(task.status);
}

export function isHeld(task: LiveTask): task is RunningTask | CancellingTask {
  return task.status === 'running' || task.status === 'cancelling';
}

/**
 * Its place in the queue: `priority` is seconds of head start. `sinceMs` is its creation, or when it may start if that is
 * later, so that what may not start yet stands behind what may, and nobody has to read past it.
 */
export function placeOf(sinceMs: number, priority: number): number {
  return sinceMs - 1000 * priority;
}

export function submit(
  task: Omit<QueuedTask, 'status' | 'version' | 'attempt' | 'failures'>,
  message?: Message,
): TaskDecision<QueuedTask> {
  const sent = message && { messageId: messageIdOf(task.id), ...message };
  return {
    task: { ...task, status: 'queued', version: 1, attempt: 0, failures: 0 },
    events: [...(sent ? [{ type: 'message.sent', data: sent }] : []), { type: 'task.queued' }],
  };
}

/** It is taken when its agent runs for something else. What was begun once is work like any other. */
export function wakesNobody({ wakes, attempt }: LiveTask): boolean {
  return wakes === false && attempt === 0;
}

/** Whether a runtime may claim it now. */
export function isClaimable(task: LiveTask, nowMs: number): boolean {
  return (
    task.status === 'queued' && task.notBeforeMs <= nowMs && (task.expiresMs === undefined || task.expiresMs > nowMs)
  );
}

export function claim(
  task: QueuedTask,
  runtimeId: string,
  nowMs: number,
  { usdPerSecond, charged }: { usdPerSecond?: number; charged?: true | undefined } = {},
): TaskDecision<RunningTask> {
  const attempt = task.attempt + 1;
  return {
    task: {
      ...next(task),
      ...uncounted,
      status: 'running',
      statusReason: undefined,
      attempt,
      runtimeId,
      startedMs: nowMs,
      firstStartedMs: task.firstStartedMs ?? nowMs,
      leaseUntilMs: nowMs + task.leaseSeconds * 1000,
      usdPerSecond,
      charged,
    },
    events: [{ type: 'task.started', data: { attempt, runtimeId } }],
  };
}

/** A task that answers while it is being cancelled has succeeded: the answer came first. */
export function succeed(
  task: RunningTask | CancellingTask,
  outcome: Outcome,
  nowMs: number,
): TaskDecision<FinishedTask> {
  return finish(task, 'succeeded', nowMs, outcome, { attempt: task.attempt, seconds: (nowMs - task.startedMs) / 1000 });
}

export interface Failure extends TaskError {
  retryAfterSeconds?: number | undefined;
  usage?: Outcome['usage'];
}

/** An attempt that the task is to blame for: tried again after a while, or the end of it. */
export function failAttempt(
  task: RunningTask | CancellingTask,
  failure: Failure,
  policy: RetryPolicy,
  nowMs: number,
): TaskDecision<QueuedTask | FinishedTask> {
  const failures = task.failures + 1;
  if (task.status === 'cancelling') return cancelled(task, 'its attempt ended', nowMs, failure.usage);
  const { code, message, retryAfterSeconds, usage } = failure;
  const attempt = { code, failures, maxAttempts: task.maxAttempts, retryAfterSeconds };
  // What is spent is spent; without a budget the code is the program's own.
  const isSpent = code === 'budget_exceeded' && task.budget !== undefined;
  const delayMs = isSpent ? undefined : retryDelayMs(policy, attempt);
  const spent = delayMs === undefined ? undefined : spentError(task, usage, `${code}: ${message}`);
  const error = spent ?? { code, message };
  const data = { attempt: task.attempt, ...error };
  if (delayMs === undefined || spent) {
    const status = error.code === 'timed_out' ? 'timed_out' : 'failed';
    return finish({ ...task, failures }, status, nowMs, { error, usage }, data);
  }
  return {
    task: {
      ...backInQueue(task, `attempt ${task.attempt} failed with ${failure.code}; it is tried again`, nowMs),
      failures,
      lastError: error,
      usedBefore: sumOf(task.usedBefore, usage),
      notBeforeMs: nowMs + delayMs,
    },
    events: [{ type: 'task.attempt_failed', data: { ...data, retryInSeconds: delayMs / 1000 } }],
  };
}

/**
 * Back to the queue without blame; one that is being cancelled is cancelled, since nothing of it runs any more, and one
 * whose budget is used up has failed.
 */
export function release(
  task: RunningTask | CancellingTask,
  reason: string,
  nowMs: number,
  usage?: Outcome['usage'],
): TaskDecision<QueuedTask | FinishedTask> {
  if (task.status === 'cancelling') return cancelled(task, reason, nowMs, usage);
  const error = spentError(task, usage, `${reason}.`);
  if (error) return finish(task, 'failed', nowMs, { error, usage }, { attempt: task.attempt, ...error });
  return {
    task: { ...backInQueue(task, reason, nowMs), usedBefore: sumOf(task.usedBefore, usage) },
    events: [{ type: 'task.requeued', data: { attempt: task.attempt, runtimeId: task.runtimeId, reason } }],
  };
}

/** After so many lost runtimes a task is given up: it may be what kills them. */
export const lossLimit = 10;

/** Its runtime is dead. Back to the queue without blame, unless that happens again and again. */
export function lose(
  task: RunningTask | CancellingTask,
  reason: string,
  nowMs: number,
): TaskDecision<QueuedTask | FinishedTask> {
  const losses = (task.losses ?? 0) + 1;
  const usage = knownUsage(task, nowMs);
  if (losses < lossLimit || task.status === 'cancelling') return release({ ...task, losses }, reason, nowMs, usage);
  const message = `${losses} runtimes died while they ran it, the last one: ${reason}.`;
  const error = { code: 'runtime_lost', message };
  return finish({ ...task, losses }, 'failed', nowMs, { error, usage }, { attempt: task.attempt, ...error });
}

/** What an attempt has used: its time, and what its heartbeats have told besides. */
export function knownUsage(task: RunningTask | CancellingTask, nowMs: number): Usage {
  const ranMs = Math.min(nowMs, task.leaseUntilMs) - task.startedMs;
  const wallSeconds = Math.max(0, ranMs / 1000, task.used?.wallSeconds ?? 0);
  return usageOf(task, { ...task.used, wallSeconds });
}

/** What was measured of an attempt, at the price of its runtime. */
export function usageOf({ usdPerSecond = 0 }: RunningTask | CancellingTask, measured: Measured): Usage {
  return priced(usdPerSecond, measured);
}

/** What a write that ends an attempt charges its agent with; undefined where it ends none, or its agent has no budget. */
export function chargeOf(before: LiveTask, after: LiveTask): Partial<Usage> | undefined {
  if (!isHeld(before) || isHeld(after) || !before.charged) return undefined;
  const all = isFinished(after) ? after.outcome.usage : after.usedBefore;
  return sinceThen(before.usedBefore, all);
}

/** Whether an attempt has to end for what all attempts have used. */
export function isOverBudget(task: RunningTask | CancellingTask, usage: Outcome['usage']): boolean {
  return task.budget !== undefined && isExceeded(task.budget, amountsOf(sumOf(task.usedBefore, usage)));
}

/** Why it can't be tried again: its budget is used up. `ended` says how the last attempt ended. */
function spentError(task: RunningTask, usage: Outcome['usage'], ended: string): TaskError | undefined {
  const used = amountsOf(sumOf(task.usedBefore, usage));
  if (!task.budget || !isUsedUp(task.budget, used)) return undefined;
  const message = `The task has used ${usedOf(task.budget, used)}, so it is not tried again. The last attempt: ${ended}`;
  return { code: 'budget_exceeded', message };
}

/** A queued task is cancelled at once; a running one when there is proof that nothing of it runs. */
export function requestCancel(
  task: QueuedTask | RunningTask,
  nowMs: number,
  force = false,
): TaskDecision<CancellingTask | FinishedTask> {
  if (task.status === 'queued') return cancelled(task, 'it had not started', nowMs);
  return cancelling(task, nowMs, force ? { force } : {});
}

/** One that is being cancelled loses its grace. */
export function forceCancel(task: CancellingTask, nowMs: number): TaskDecision<CancellingTask> {
  return cancelling(task, nowMs, { force: true });
}

function cancelling(
  task: RunningTask | CancellingTask,
  nowMs: number,
  how: { force?: boolean },
): TaskDecision<CancellingTask> {
  return {
    task: { ...next(task), status: 'cancelling', cancelRequestedMs: nowMs, ...how },
    events: [{ type: 'task.cancelling', data: { attempt: task.attempt, runtimeId: task.runtimeId, ...how } }],
  };
}

/** `proof` says how it is known that nothing of the task runs; `usage`, what it took until then, if that is known. */
export function cancelled(
  task: QueuedTask | RunningTask | CancellingTask,
  proof: string,
  nowMs: number,
  usage?: Outcome['usage'],
): TaskDecision<FinishedTask> {
  const error = { code: 'cancelled', message: `The task was cancelled: ${proof}.` };
  return finish(task, 'cancelled', nowMs, { error, usage }, { attempt: task.attempt, proof });
}

export function expire(task: QueuedTask, nowMs: number): TaskDecision<FinishedTask> {
  const message = 'The task was not started in the time that expiresInSeconds gave it.';
  return finish(task, 'expired', nowMs, { error: { code: 'expired', message } }, {});
}

function finish(
  task: QueuedTask | RunningTask | CancellingTask,
  status: FinalStatus,
  finishedMs: number,
  outcome: Outcome,
  data: Record<string, unknown>,
): TaskDecision<FinishedTask> {
  const usage = sumOf(task.usedBefore, outcome.usage);
  return {
    task: {
      ...next(task),
      status,
      statusReason: undefined,
      finishedMs,
      outcome: usage ? { ...outcome, usage } : outcome,
    },
    events: [{ type: `task.${status}`, data }],
  };
}

/** Since when it is what it is. */
export function statusSince(task: LiveTask): number {
  switch (task.status) {
    case 'queued':
      return task.requeuedMs ?? task.createdMs;
    case 'running':
      return task.startedMs;
    case 'cancelling':
      return task.cancelRequestedMs;
    default:
      return task.finishedMs;
  }
}

/** Why it is what it is and not yet over, in a few words; of one that is over its outcome tells. */
export function reasonOf(task: LiveTask): string | undefined {
  switch (task.status) {
    case 'queued':
      return task.statusReason ?? 'it waits for its agent';
    case 'running':
      return task.statusReason ?? `attempt ${task.attempt} runs`;
    case 'cancelling':
      return task.statusReason ?? 'it is not yet proven that nothing of it runs';
    default:
      return undefined;
  }
}

/** What a queued task has nothing of. */
const uncounted = { usdPerSecond: undefined, used: undefined, charged: undefined } as const;

function backInQueue(task: RunningTask | CancellingTask, statusReason: string, requeuedMs: number): QueuedTask {
  const { runtimeId: _runtime, startedMs: _started, leaseUntilMs: _lease, ...rest } = task;
  return { ...rest, ...uncounted, version: task.version + 1, status: 'queued', statusReason, requeuedMs };
}

function next<T extends LiveTask>(task: T): T {
  return { ...task, version: task.version + 1 };
}
