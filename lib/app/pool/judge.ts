import { launchDeadlineMs } from '../../domain/agent-launch.ts';
import type { PoolCommand } from '../../domain/pool.ts';
import type { Deps } from '../deps.ts';
import type { Runtime } from '../ports.ts';
import { isOfCloud, knownDeath, probe } from '../reconcile/probe.ts';

/** The longest that a launch is waited for while ECS shows that its image is still being pulled. */
const longestPullMs = 30 * 60_000;
/** An intent that nobody took up by then is sent again. */
const resendMs = 60_000;
/** RunTask's answer was lost: ECS shows the task within this time. */
const settleMs = 30_000;
/** A standby asks every 30 s what it is for: one that has not for so long may be dead, or hang. */
export const silentMs = 180_000;
/** An agent that takes a standby over has it in its head at once, or never. */
const takeoverMs = 60_000;

/** What was found of one standby: what follows from it, or when to look again. */
export interface Finding {
  command?: PoolCommand;
  /** Its intent to launch is sent again. */
  resend?: boolean;
  lookMs?: number;
}

/** Compares what a pool remembers of a standby with what is. */
export async function judge(
  deps: Deps,
  { id, ready }: { id: string; ready: boolean },
  runtime: Runtime | undefined,
  longestLifeMs: number,
): Promise<Finding> {
  const nowMs = deps.now();
  if (!runtime) return lost(id, { proof: 'its runtime row is gone', ours: true, dead: true });
  if (runtime.agentId !== undefined) return judgeTaken(deps, runtime, runtime.agentId, nowMs);
  const death = knownDeath(runtime) ?? (runtime.status === 'ended' ? 'it has ended' : undefined);
  if (death) return lost(id, { proof: death, ours: isOfCloud(runtime.observed), dead: true });
  if (runtime.dismissedMs !== undefined) return dismissed(id, 'it was let go');
  if (runtime.status === 'standby') return judgeStandby(deps, runtime, ready, longestLifeMs, nowMs);
  return judgeLaunch(deps, runtime, nowMs);
}

/** It is the agent's as soon as the agent's head says so. One that was reserved and never became anybody's is stopped. */
async function judgeTaken(deps: Deps, runtime: Runtime, agentId: string, nowMs: number): Promise<Finding> {
  const agent = await deps.agents.get(runtime.tenant, agentId, { strong: true });
  const isOwned =
    runtime.status === 'ended' ||
    agent?.runtimeId === runtime.id ||
    agent?.retired.some((one) => one.id === runtime.id);
  if (isOwned) return { command: { type: 'hand_over', runtimeId: runtime.id, agentId } };
  const untilMs = (runtime.takenMs ?? nowMs) + takeoverMs;
  if (nowMs < untilMs) return { lookMs: untilMs };
  return dismissed(runtime.id, `the agent ${agentId} reserved it and does not have it`);
}

async function judgeStandby(
  deps: Deps,
  runtime: Runtime,
  ready: boolean,
  longestLifeMs: number,
  nowMs: number,
): Promise<Finding> {
  const { id, enrolledMs = runtime.createdMs } = runtime;
  if (nowMs - enrolledMs >= longestLifeMs) return dismissed(id, 'it has reached its longest life');
  const silentAtMs = (runtime.seenMs ?? enrolledMs) + silentMs;
  if (nowMs >= silentAtMs) {
    const found = await probe(deps, runtime);
    if (found.state === 'dead') return lost(id, { proof: found.proof, ours: isOfCloud(runtime.observed), dead: true });
    if (found.state === 'unknown') return { lookMs: nowMs + resendMs };
    return lost(id, { proof: `it has been silent for over ${silentMs / 1000} s`, ours: false, dead: false });
  }
  const lookMs = Math.min(silentAtMs, enrolledMs + longestLifeMs);
  return ready ? { lookMs } : { lookMs, command: { type: 'welcome', runtimeId: id } };
}

async function judgeLaunch(deps: Deps, runtime: Runtime, nowMs: number): Promise<Finding> {
  const { id, createdMs, attemptedMs, launchedMs } = runtime;
  if (launchedMs === undefined && (attemptedMs === undefined || nowMs < attemptedMs + settleMs)) {
    const waited = nowMs - createdMs >= resendMs;
    return { lookMs: waited ? nowMs + resendMs : createdMs + resendMs, resend: waited };
  }
  const sinceMs = launchedMs ?? attemptedMs ?? createdMs;
  const deadlineMs = sinceMs + launchDeadlineMs;
  if (launchedMs !== undefined && nowMs < deadlineMs) return { lookMs: deadlineMs };
  const found = await probe(deps, runtime);
  if (found.state === 'dead') return lost(id, { proof: found.proof, ours: isOfCloud(runtime.observed), dead: true });
  if (found.state === 'alive') {
    if (launchedMs === undefined) await deps.runtimes.launched(runtime, found.taskArn, sinceMs);
    if (nowMs < deadlineMs) return { lookMs: deadlineMs };
    if (found.observation.pulling && nowMs - sinceMs < longestPullMs) return { lookMs: nowMs + resendMs };
  } else if (nowMs < deadlineMs) return { lookMs: nowMs + settleMs, resend: true };
  const proof = `it did not enrol within ${launchDeadlineMs / 1000} s of its launch`;
  return lost(id, { proof, ours: true, dead: false });
}

function lost(runtimeId: string, how: { proof: string; ours: boolean; dead: boolean }): Finding {
  return { command: { type: 'lose', runtimeId, ...how } };
}

function dismissed(runtimeId: string, reason: string): Finding {
  return { command: { type: 'dismiss', runtimeId, reason } };
}
