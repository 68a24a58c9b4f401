import type { Agent, AgentDecision } from './agent.ts';
import { crashLimit, recentCrashes, toError } from './agent-failure.ts';
import { terminated } from './agent-life.ts';
import { decided, inStatus, lookAfterMs, requireStatus, retire, withoutRuntime } from './agent-transition.ts';

/** A launch that has not enrolled after this long is replaced; doubles with each try. Fargate needs 20–90 s (see aws-facts 1.4). */
export const launchDeadlineMs = 120_000;

/** An intent that nobody took up by then is sent again. */
export const intentResendMs = 60_000;

/** The decision to launch, or to take over a standby (`warm`). `reason` says what it is for. */
export function start(agent: Agent, runtimeId: string, reason: string, nowMs: number, warm = false): AgentDecision {
  requireStatus(agent, 'start', ['paused']);
  return decided(
    agent,
    {
      ...inStatus('starting', nowMs, reason),
      runtimeId,
      runtimeSinceMs: nowMs,
      goal: undefined,
      forced: undefined,
      waiting: false,
      suspectSinceMs: undefined,
      notBeforeMs: undefined,
      idleSinceMs: undefined,
      dueAtMs: nowMs + intentResendMs,
    },
    nowMs,
    { type: 'agent.starting', data: { runtimeId, reason, attempt: agent.launchTries + 1, warm } },
  );
}

/**
 * The one way in which a runtime becomes the agent's: whoever comes second is refused by the write's condition.
 *
 * @param usdPerSecond what a second of one of its places costs
 */
export function enrol(agent: Agent, nowMs: number, usdPerSecond?: number): AgentDecision {
  requireStatus(agent, 'take a runtime in', ['starting']);
  return decided(
    agent,
    {
      ...inStatus('running', nowMs),
      runtimeSinceMs: nowMs,
      usdPerSecond,
      launchTries: 0,
      wanted: undefined,
      idleSinceMs: nowMs,
      dueAtMs: nowMs + lookAfterMs,
    },
    nowMs,
    {
      type: 'agent.running',
      data: { runtimeId: agent.runtimeId, startSeconds: (nowMs - (agent.runtimeSinceMs ?? nowMs)) / 1000 },
    },
  );
}

/** A launch that failed, or did not come up in time. It is tried again after a while, and given up after a few quick failures. */
export function launchFailed(agent: Agent, reason: string, ours: boolean, nowMs: number): AgentDecision {
  requireStatus(agent, 'fail to launch', ['starting']);
  const launchTries = agent.launchTries + 1;
  const retired = retire(agent, nowMs);
  const crashesMs = ours ? agent.crashesMs : [...recentCrashes(agent, nowMs), nowMs];
  const data = { runtimeId: agent.runtimeId, reason };
  if (crashesMs.length >= crashLimit) return toError({ ...agent, crashesMs, retired, launchTries }, reason, nowMs);
  const delayMs = Math.min(1000 * 2 ** (launchTries - 1), 300_000);
  return decided(
    agent,
    {
      ...inStatus('paused', nowMs, `launch failed: ${reason}; next try in ${delayMs / 1000} s`),
      ...withoutRuntime,
      launchTries,
      crashesMs,
      retired,
      notBeforeMs: nowMs + delayMs,
      dueAtMs: nowMs + delayMs,
    },
    nowMs,
    { type: 'agent.launch_failed', data: { ...data, retryInSeconds: delayMs / 1000 } },
  );
}

/** A launch that is no longer wanted is let go of; the runtime will be refused when it enrols, and is stopped. */
export function abandonLaunch(
  agent: Agent,
  goal: 'paused' | 'terminated',
  reason: string,
  nowMs: number,
): AgentDecision {
  requireStatus(agent, 'abandon its launch', ['starting']);
  const change = { ...withoutRuntime, wanted: undefined, retired: retire(agent, nowMs), dueAtMs: undefined };
  if (goal === 'terminated') return terminated({ ...agent, ...change }, nowMs);
  return decided(agent, { ...change, ...inStatus('paused', nowMs, reason), idleSinceMs: nowMs }, nowMs, {
    type: 'agent.paused',
    data: { runtimeId: agent.runtimeId, reason },
  });
}

/** How long a launch may take until it is replaced, by how many failed before it. */
export function launchDeadline(agent: Agent): number {
  return Math.min(launchDeadlineMs * 2 ** agent.launchTries, 1_800_000);
}
