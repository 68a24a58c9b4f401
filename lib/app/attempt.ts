import type { Measured } from '../domain/cost.ts';
import { fenceLost } from '../domain/errors.ts';
import { exportsObject, outputObject } from '../domain/object-key.ts';
import { isOverBudget, knownUsage, usageOf } from '../domain/task.ts';
import type { RuntimeIdentity } from './claim.ts';
import type { Deps } from './deps.ts';
import { type Grip, heldTask } from './finish-task.ts';
import { Conflict, type LogLine } from './ports.ts';

/** What a shim reports while an attempt runs: that it lives, and what it prints. */

/** What runs on beyond its budget is told to end: what its runtime makes of that goes back to the queue, or has failed. */
export async function heartbeat(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  { progress, usage }: { progress?: unknown; usage?: Measured | undefined },
): Promise<{ cancel: boolean; force: boolean; leaseUntilMs: number }> {
  const held = await heldTask(deps, me, grip);
  const nowMs = deps.now();
  const leaseUntilMs = nowMs + held.leaseSeconds * 1000;
  const used = usage && usageOf(held, usage);
  try {
    const live = await deps.tasks.extendLease(held, leaseUntilMs, used);
    if (progress !== undefined) await deps.tasks.setProgress(me.tenant, grip.taskId, progress);
    const isCancelled = live.status === 'cancelling';
    const cancel = isCancelled || isOverBudget(held, used ?? knownUsage(held, nowMs));
    return { cancel, force: isCancelled && (live.force ?? false), leaseUntilMs };
  } catch (error) {
    if (error instanceof Conflict) throw fenceLost(grip.taskId, grip.fence);
    throw error;
  }
}

export async function reportLines(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  lines: LogLine[],
  progress: unknown,
): Promise<number> {
  await heldTask(deps, me, grip);
  if (lines.length > 0) await deps.taskLogs.append(me.tenant, me.agentId, grip.taskId, lines, deps.now());
  if (progress !== undefined) await deps.tasks.setProgress(me.tenant, grip.taskId, progress);
  return lines.length;
}

/** Where the shim may put an output that is too large for an answer, or the files that a task gives to others. */
export async function outputTarget(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  what: 'output' | 'exports',
): Promise<{ key: string; url: string }> {
  await heldTask(deps, me, grip);
  const objectOf = what === 'output' ? outputObject : exportsObject;
  const key = objectOf(me.tenant, grip.taskId, grip.fence);
  return { key, url: await deps.objects.presignPut(key, 900) };
}
