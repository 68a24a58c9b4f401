import type { Agent, AgentDecision } from '../../domain/agent.ts';
import { holdSpent, whySpent } from '../../domain/agent-budget.ts';
import { beginStop, runtimeLost } from '../../domain/agent-stop.ts';
import { lookAfterMs, rearm } from '../../domain/agent-transition.ts';
import { knownUsage } from '../../domain/task.ts';
import { leaseSlackMs } from '../claim.ts';
import { lastActiveMs } from '../idle.ts';
import type { Runtime } from '../ports.ts';
import { settingsOf, settingsOfRuntime } from '../settings.ts';
import { cancelDeadlineMs } from '../tasks.ts';
import { isOfCloud, knownDeath, probe } from './probe.ts';
import { earliest, type Sight, type Step } from './step.ts';

/** Beyond its longest life a runtime may take this long to finish what runs. */
const lifetimeGraceMs = 10 * 60_000;
/** Work that could be claimed and is not, for so long, is a sign that the shim hears nothing: it claims every 30 s. */
const unclaimedMs = 60_000;
/** An idle runtime is looked at this often, in case that it died and nobody heard. */
const idleLookMs = 180_000;
const idleReason = 'idle, and its runtime did not say so';
/** How soon a runtime that was asked to stop, or that ECS said nothing of, is looked at again. */
const againMs = 30_000;

/** A running agent's shim minds its own clocks. This is for when it does not. */
export async function stepRunning(sight: Sight): Promise<Step> {
  const { agent, runtime, nowMs } = sight;
  const death = knownDeath(runtime);
  if (death) return lost(sight, death);
  if (!runtime) return lost(sight, 'its runtime row is gone');
  const settings = await settingsOfRuntime(sight.deps, agent, runtime);
  const bornMs = agent.runtimeSinceMs ?? nowMs;
  if (nowMs > bornMs + settings.maxLifetimeSeconds * 1000 + lifetimeGraceMs) {
    return stop(agent, 'its runtime reached its longest life', true, nowMs);
  }
  const { budget } = await settingsOf(sight.deps, agent);
  const running = sight.queue.held.map((task) => knownUsage(task, nowMs));
  const spent = running.length > 0 ? whySpent(agent, budget, running) : undefined;
  if (spent) return told(agent, holdSpent(agent, spent, nowMs));
  const suspicion = suspect(sight, settings.cancelGraceSeconds, settings.concurrency);
  if (suspicion) return question(sight, runtime, suspicion);
  const overdue = agent.dueAtMs !== undefined && nowMs >= agent.dueAtMs;
  const idle = sight.queue.held.length === 0;
  if (overdue && idle) {
    const found = await probe(sight.deps, runtime);
    if (found.state === 'dead') return lost(sight, found.proof);
    if (await isForgotten(sight, settings.idleTimeoutSeconds)) return stop(agent, idleReason, false, nowMs);
  }
  return lookLater(sight, settings.cancelGraceSeconds, settings.idleTimeoutSeconds);
}

/** The shim is asked; what it does not do, ECS does. */
function stop(agent: Agent, reason: string, force: boolean, nowMs: number): Step {
  return told(agent, beginStop(agent, 'paused', force, reason, nowMs));
}

function told({ runtimeId }: Agent, decision: AgentDecision): Step {
  return { decision, effects: runtimeId ? [{ type: 'ring', runtimeId }] : [] };
}

/** Whether its idle time is long over, without a goodbye of its shim. What the head tells is asked first: it costs nothing. */
async function isForgotten({ deps, agent, queue, nowMs }: Sight, idleTimeoutSeconds: number): Promise<boolean> {
  const isOver = (activeMs: number) => nowMs > activeMs + idleTimeoutSeconds * 1000 + lookAfterMs;
  if (queue.ready || !isOver(Math.max(agent.statusSinceMs, agent.activeUntilMs ?? 0))) return false;
  return isOver(await lastActiveMs(deps, agent));
}

function lost({ agent, runtime, queue, nowMs }: Sight, proof: string): Step {
  const cleanups = runtime
    ? ([
        { type: 'end_runtime', runtimeId: runtime.id },
        { type: 'delete_bell', runtimeId: runtime.id },
      ] as const)
    : [];
  const death = { ofCloud: isOfCloud(runtime?.observed), taskIds: queue.held.map((task) => task.id) };
  return { decision: runtimeLost(agent, proof, nowMs, death), cleanups: [...cleanups], again: true };
}

/** Something that a live shim would have done by now. */
function suspect({ agent, queue, nowMs }: Sight, cancelGraceSeconds: number, concurrency: number): string | undefined {
  const silent = queue.held.find((task) => task.leaseUntilMs + leaseSlackMs / 2 <= nowMs);
  if (silent) return `it has been silent about task ${silent.id} for over ${silent.leaseSeconds} s`;
  const uncancelled = queue.held.find(
    (task) =>
      task.status === 'cancelling' &&
      cancelDeadlineMs(task.cancelRequestedMs, task.force ? 0 : cancelGraceSeconds) <= nowMs,
  );
  if (uncancelled) return `it did not cancel task ${uncancelled.id} in time`;
  const { ready } = queue;
  if (!ready || queue.held.length >= concurrency) return undefined;
  const waitingSinceMs = Math.max(ready.createdMs, ready.notBeforeMs, agent.statusSinceMs);
  return nowMs - waitingSinceMs >= unclaimedMs ? `it did not claim task ${ready.id}` : undefined;
}

/** First a ring and a little time, then the truth from ECS: dead, or to be stopped. */
async function question(sight: Sight, runtime: Runtime, suspicion: string): Promise<Step> {
  const { deps, agent, nowMs } = sight;
  if (agent.suspectSinceMs === undefined) {
    const found = await probe(deps, runtime);
    if (found.state === 'dead') return lost(sight, found.proof);
    return {
      decision: rearm(agent, { suspectSinceMs: nowMs, dueAtMs: nowMs + againMs }),
      effects: [{ type: 'ring', runtimeId: runtime.id }],
    };
  }
  if (nowMs - agent.suspectSinceMs < againMs) return dueBy(agent, agent.suspectSinceMs + againMs);
  const found = await probe(deps, runtime);
  if (found.state === 'dead') return lost(sight, found.proof);
  const effects = found.taskArn
    ? ([{ type: 'stop_task', taskArn: found.taskArn, reason: `Rouse: ${suspicion}` }] as const)
    : [];
  deps.log.warn('a silent runtime is stopped', { agentId: agent.id, runtimeId: runtime.id, suspicion });
  return { decision: rearm(agent, { dueAtMs: nowMs + againMs }), effects: [...effects] };
}

function dueBy(agent: Sight['agent'], dueAtMs: number): Step {
  return agent.dueAtMs !== undefined && agent.dueAtMs <= dueAtMs && agent.dueAtMs > 0
    ? {}
    : { decision: rearm(agent, { dueAtMs }) };
}

/** All is well: the next look is when a lease, a cancel, a claim or the idle time would be over. */
function lookLater({ agent, queue, nowMs }: Sight, cancelGraceSeconds: number, idleTimeoutSeconds: number): Step {
  const nextMs = earliest(
    ...queue.held.map((task) => task.leaseUntilMs + leaseSlackMs),
    ...queue.held.map((task) =>
      task.status === 'cancelling'
        ? cancelDeadlineMs(task.cancelRequestedMs, task.force ? 0 : cancelGraceSeconds)
        : undefined,
    ),
    queue.ready && queue.held.length === 0 ? nowMs + unclaimedMs : undefined,
    queue.nextMs === undefined ? undefined : queue.nextMs + unclaimedMs,
    nowMs + Math.min(idleTimeoutSeconds * 1000 + lookAfterMs, idleLookMs),
  )!;
  const dueAtMs = Math.max(nextMs, nowMs + againMs);
  const early = agent.dueAtMs !== undefined && agent.dueAtMs > nowMs && agent.dueAtMs <= dueAtMs;
  // A due time may be early: it is moved on only when it has come.
  if (early && agent.suspectSinceMs === undefined) return {};
  return { decision: rearm(agent, { dueAtMs, suspectSinceMs: undefined }) };
}
