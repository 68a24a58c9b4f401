import type { Agent } from '../domain/agent.ts';
import { withUsage } from '../domain/agent-budget.ts';
import type { Measured } from '../domain/cost.ts';
import { fenceLost, invalid, tooLarge } from '../domain/errors.ts';
import { exportsObject, outputObject } from '../domain/object-key.ts';
import {
  type CancellingTask,
  cancelled,
  chargeOf,
  failAttempt,
  isFinished,
  isHeld,
  knownUsage,
  type LiveTask,
  type Outcome,
  type RunningTask,
  release,
  succeed,
  type TaskDecision,
  type TaskStatus,
  usageOf,
} from '../domain/task.ts';
import { claimTasks, enrolledAgent, type Instructions, type RuntimeIdentity } from './claim.ts';
import { type Cause, commitTask, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import type { LogLine } from './ports.ts';
import { settingsOf } from './settings.ts';
import { maxInlineBytes, maxUploadBytes } from './tasks.ts';

/** What a shim holds of a task: its fence, and its place to find it by. */
export interface Grip {
  taskId: string;
  fence: number;
  place: number;
}

export interface Uploaded {
  key: string;
  bytes: number;
}

export interface Completion {
  /** The last lines that the attempt printed. */
  lines: LogLine[];
  output?: unknown;
  outputRef?: Uploaded | undefined;
  /** The files that it gives to others. */
  exportsRef?: Uploaded | undefined;
  usage: Measured;
}

export interface Finished {
  status: TaskStatus;
  instructions: Instructions;
}

/** An output up to this size travels with the commit itself; a larger one is written to the record before. */
const carriedBytes = 1024;

export async function completeTask(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  completion: Completion,
  slots: number,
  by: Cause,
): Promise<Finished> {
  const agent = await enrolledAgent(deps, me);
  return finish(deps, me, agent, grip, completion.lines, slots, by, async (task) => {
    const outcome = await outcomeOf(deps, me, task, completion);
    const { exportsRef } = completion;
    const exportsKey = exportsRef && exportsObject(me.tenant, task.id, task.attempt);
    if (exportsKey) await uploadedBytes(deps, 'exportsRef', exportsRef, exportsKey);
    const usage = usageOf(task, completion.usage);
    return succeed(task, { ...outcome, exportsKey, usage, generation: agent.workspace?.generation }, deps.now());
  });
}

async function outcomeOf(
  deps: Deps,
  me: RuntimeIdentity,
  task: LiveTask,
  { output, outputRef }: Completion,
): Promise<Outcome> {
  if (outputRef) {
    const own = outputObject(me.tenant, task.id, task.attempt);
    return { outputKey: own, outputBytes: await uploadedBytes(deps, 'outputRef', outputRef, own) };
  }
  const bytes = Buffer.byteLength(JSON.stringify(output) ?? '');
  // A string's bytes are its own: quotes and escapes don't count against it.
  const size = typeof output === 'string' ? Buffer.byteLength(output) : bytes;
  if (size > maxInlineBytes) throw tooLarge('The output', size, maxInlineBytes);
  if (bytes <= carriedBytes) return { output, outputBytes: size };
  await deps.tasks.draftOutput(me.tenant, task.id, task.attempt, output);
  return { drafted: task.attempt, outputBytes: size };
}

/** Readers get a URL of what a shim has uploaded: its key must be the one that this attempt was given. */
async function uploadedBytes(deps: Deps, field: string, { key }: Uploaded, own: string): Promise<number> {
  if (key !== own) throw invalid(`${field}.key`, `Received "${key}"; only "${own}" is allowed.`);
  const object = await deps.objects.head(own);
  if (!object) throw invalid(`${field}.key`, `Received "${own}"; nothing was uploaded under it.`);
  if (object.bytes > maxUploadBytes) throw tooLarge('The upload', object.bytes, maxUploadBytes);
  return object.bytes;
}

export interface AttemptFailure {
  lines: LogLine[];
  code: string;
  message: string;
  retryAfterSeconds?: number | undefined;
  usage: Measured;
}

export async function failTask(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  failure: AttemptFailure,
  slots: number,
  by: Cause,
): Promise<Finished> {
  const agent = await enrolledAgent(deps, me);
  const settings = await settingsOf(deps, agent);
  return finish(deps, me, agent, grip, failure.lines, slots, by, async (task) => {
    const usage = usageOf(task, failure.usage);
    if (task.status === 'cancelling') {
      const how = failure.code === 'cancelled' ? '' : ` (${failure.code})`;
      return cancelled(task, `its processes have ended${how}`, deps.now(), usage);
    }
    // Nobody asked for it: its runtime ended it, and the task is not to blame.
    if (failure.code === 'cancelled') return release(task, 'its runtime ended it', deps.now(), usage);
    return failAttempt(task, { ...failure, usage }, settings.task.retry, deps.now());
  });
}

export async function releaseTask(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  { reason, usage }: { reason: string; usage?: Measured | undefined },
  slots: number,
  by: Cause,
): Promise<Finished> {
  const agent = await enrolledAgent(deps, me);
  return finish(deps, me, agent, grip, [], slots, by, async (task) => {
    const nowMs = deps.now();
    return release(task, reason, nowMs, usage ? usageOf(task, usage) : knownUsage(task, nowMs));
  });
}

type Held = RunningTask | CancellingTask;

/** Commits the end of an attempt under its fence, and brings the next work. A repeated call gets the same answer. */
async function finish(
  deps: Deps,
  me: RuntimeIdentity,
  agent: Agent,
  grip: Grip,
  lines: LogLine[],
  slots: number,
  by: Cause,
  decide: (task: Held) => Promise<TaskDecision>,
): Promise<Finished> {
  let unwritten = lines;
  const status = await retried(async () => {
    const live = await deps.tasks.live(me.tenant, me.agentId, grip.place, grip.taskId);
    if (live && isHeld(live) && live.attempt === grip.fence && live.runtimeId === me.id) {
      const decision = await decide(live);
      const writing = unwritten.length
        ? deps.taskLogs.append(me.tenant, me.agentId, live.id, unwritten, deps.now())
        : undefined;
      unwritten = [];
      const [after] = await Promise.all([commitTask(deps, live, decision, by), writing]);
      return { status: after.status, settle: after, charge: chargeOf(live, after), repeatedWith: undefined };
    }
    const status = await endedBefore(deps, me, grip, live);
    return { status, settle: live, charge: undefined, repeatedWith: await settingsOf(deps, agent) };
  });
  const settling = status.settle && isFinished(status.settle) ? deps.tasks.settle(status.settle) : undefined;
  const { repeatedWith, charge } = status;
  const charged = charge ? withUsage(agent, charge) : agent;
  const [instructions] = await Promise.all([
    claimTasks(deps, me, slots, by, { agent: charged, repeatedWith, settling: grip.taskId }),
    settling,
  ]);
  return { status: status.status, instructions };
}

/** The status that this very attempt has led to, when its answer was lost; anything else has lost the fence. */
async function endedBefore(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  live: LiveTask | undefined,
): Promise<TaskStatus> {
  if (live && live.attempt === grip.fence && (live.status === 'queued' || isFinished(live))) return live.status;
  if (!live) {
    const record = await deps.tasks.record(me.tenant, grip.taskId);
    if (record?.status && record.agentId === me.agentId && record.attempt === grip.fence) return record.status;
  }
  throw fenceLost(grip.taskId, grip.fence);
}

/** @throws RouseError fence_lost unless this runtime holds the task under this fence. */
export async function heldTask(deps: Deps, me: RuntimeIdentity, grip: Grip): Promise<Held> {
  const live = await deps.tasks.live(me.tenant, me.agentId, grip.place, grip.taskId);
  if (live && isHeld(live) && live.attempt === grip.fence && live.runtimeId === me.id) return live;
  throw fenceLost(grip.taskId, grip.fence);
}
