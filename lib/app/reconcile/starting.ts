import type { Agent } from '../../domain/agent.ts';
import { intentResendMs, launchDeadline, launchFailed } from '../../domain/agent-launch.ts';
import { rearm } from '../../domain/agent-transition.ts';
import type { Runtime } from '../ports.ts';
import { lineCheckMs } from '../room/enter.ts';
import { describeStop, isOfCloud, probe } from './probe.ts';
import type { Effect, Sight, Step } from './step.ts';

/** The longest that a launch is waited for while ECS shows that its image is still being pulled. */
const longestPullMs = 30 * 60_000;
/** SQS drops a copy of an intent that it still remembers (aws-facts 2), so sending again costs little. */
const resendEveryMs = 60_000;
/** A standby that an agent took over enrols within this time. */
export const takeoverDeadlineMs = 60_000;
/** RunTask's answer was lost: ECS shows the task within this time. */
const settleMs = 30_000;

/** A launch is under way: it is sent again when it got lost, and replaced when it did not come up. */
export async function stepStarting(sight: Sight): Promise<Step> {
  const { agent, runtime, nowMs } = sight;
  if (!runtime) return { decision: launchFailed(agent, 'its runtime row is gone', true, nowMs), again: true };
  const seen = runtime.observed;
  if (seen?.executionStopped) {
    return {
      // A standby that dies was none of its doing.
      decision: launchFailed(agent, describeStop(seen), runtime.pool !== undefined || isOfCloud(seen), nowMs),
      effects: [{ type: 'delete_bell', runtimeId: runtime.id }],
      again: true,
    };
  }
  if (runtime.takenMs !== undefined) return stepTakenOver(sight, runtime, runtime.takenMs);
  if (runtime.launchedMs !== undefined) return stepLaunched(sight, runtime, runtime.launchedMs);
  if (runtime.attemptedMs !== undefined && nowMs - runtime.attemptedMs >= settleMs)
    return stepAttempted(sight, runtime, runtime.attemptedMs);
  return stepIntended(sight, runtime);
}

/** A standby has heard its bell, or asks within 30 s whose it is. One that does neither is let go of. */
function stepTakenOver({ agent, nowMs }: Sight, runtime: Runtime, takenMs: number): Step {
  const deadlineMs = takenMs + takeoverDeadlineMs;
  const isGone = runtime.status === 'ended' || runtime.dismissedMs !== undefined;
  if (isGone || nowMs >= deadlineMs) {
    const reason = isGone
      ? 'the standby that it took over had ended'
      : `the standby that it took over did not answer within ${takeoverDeadlineMs / 1000} s`;
    return { decision: launchFailed(agent, reason, true, nowMs), again: true };
  }
  const effects: Effect[] = [{ type: 'ring', runtimeId: runtime.id }];
  return agent.dueAtMs === deadlineMs ? { effects } : { decision: rearm(agent, { dueAtMs: deadlineMs }), effects };
}

/** Still in the queue, or lost before it got there. */
function stepIntended({ agent, nowMs }: Sight, runtime: Runtime): Step {
  if (runtime.waitingMs !== undefined) return stepWaiting(agent, runtime, nowMs);
  const request: Effect = { type: 'request_launch', runtimeId: runtime.id };
  // Whoever decided this launch may have died before it was sent, and this look may be the repetition of theirs.
  if (nowMs - runtime.createdMs < intentResendMs)
    return runtime.attemptedMs === undefined ? { effects: [request] } : {};
  const statusReason = `waiting for its turn to launch since ${new Date(runtime.createdMs).toISOString()}`;
  return { decision: rearm(agent, { dueAtMs: nowMs + resendEveryMs, statusReason }), effects: [request] };
}

/** The room's look starts it when its turn comes. Asking again now and then is for the case that its place in line got lost. */
function stepWaiting(agent: Agent, { id }: Runtime, nowMs: number): Step {
  if (agent.dueAtMs !== undefined && agent.dueAtMs > nowMs) return {};
  return {
    decision: rearm(agent, { dueAtMs: nowMs + lineCheckMs }),
    effects: [{ type: 'request_launch', runtimeId: id }],
  };
}

/** RunTask was called, and its answer never written down: adopt what is there. */
async function stepAttempted(sight: Sight, runtime: Runtime, attemptedMs: number): Promise<Step> {
  const { deps, agent, nowMs } = sight;
  const found = await probe(deps, runtime);
  if (found.state === 'alive') {
    await deps.runtimes.launched(runtime, found.taskArn, attemptedMs);
    return { decision: rearm(agent, { dueAtMs: attemptedMs + launchDeadline(agent) }), again: true };
  }
  if (found.state === 'dead') return { decision: launchFailed(agent, found.proof, true, nowMs), again: true };
  if (nowMs - attemptedMs < launchDeadline(agent)) return stepIntended(sight, runtime);
  return { decision: launchFailed(agent, 'RunTask gave no answer, and ECS shows no task', true, nowMs), again: true };
}

async function stepLaunched({ deps, agent, nowMs }: Sight, runtime: Runtime, launchedMs: number): Promise<Step> {
  const deadlineMs = launchedMs + launchDeadline(agent);
  if (nowMs < deadlineMs)
    return agent.dueAtMs === deadlineMs ? {} : { decision: rearm(agent, { dueAtMs: deadlineMs }) };
  const found = await probe(deps, runtime);
  if (found.state === 'dead')
    return { decision: launchFailed(agent, found.proof, isOfCloud(runtime.observed), nowMs), again: true };
  if (found.state === 'alive' && found.observation.pulling && nowMs - launchedMs < longestPullMs) {
    return { decision: rearm(agent, { dueAtMs: nowMs + 60_000, statusReason: 'its image is still being pulled' }) };
  }
  // Its enrolment will be refused, so another may take its place at once; its task is stopped as a retired one.
  const reason = `it did not enrol within ${launchDeadline(agent) / 1000} s of its launch`;
  return { decision: launchFailed(agent, reason, true, nowMs), again: true };
}
