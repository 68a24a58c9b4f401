import type { Agent } from '../domain/agent.ts';
import { fail } from '../domain/agent-failure.ts';
import { beginStop, goOn, stopped } from '../domain/agent-stop.ts';
import { runtimeReplaced } from '../domain/errors.ts';
import { isHeld, type LiveTask } from '../domain/task.ts';
import { claimTasks, handBack, type Instructions, type RuntimeIdentity } from './claim.ts';
import { type Cause, commitAgent } from './commit.ts';
import type { Deps } from './deps.ts';
import { Conflict } from './ports.ts';
import { settingsOfRuntime } from './settings.ts';

export type StopReason = 'idle' | 'requested' | 'lifetime' | 'signal' | 'workspace_failed';

const sentences: Record<StopReason, string> = {
  idle: 'idle',
  requested: 'stop requested',
  lifetime: 'its runtime reached its longest life',
  signal: 'its container was told to stop',
  workspace_failed: 'its workspace could not be restored',
};

const nothing: Instructions = { tasks: [], cancel: [], stop: null, nextDueMs: undefined, activeUntilMs: undefined };

/**
 * A shim wants to leave, with everything saved. First the head says `stopping`, then the queue is looked at: whoever
 * submits meanwhile sees the one or is seen by the other. An idle runtime that finds work goes on with it.
 */
export async function stopRuntime(
  deps: Deps,
  me: RuntimeIdentity,
  reason: StopReason,
  detail: string | undefined,
  by: Cause,
): Promise<{ stop: boolean; instructions: Instructions }> {
  for (let round = 0; round < 6; round++) {
    const agent = await deps.agents.get(me.tenant, me.agentId, { strong: true });
    if (agent && agent.runtimeId !== me.id && agent.retired.some((runtime) => runtime.id === me.id)) {
      // The answer to its goodbye was lost, and perhaps what follows from it.
      await nudge(deps, me);
      return { stop: true, instructions: nothing };
    }
    if (agent?.runtimeId !== me.id) throw runtimeReplaced(me.id);
    try {
      const done = await step(deps, me, agent, reason, detail, by);
      if (done) return done;
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
  throw new Conflict(`Agent ${me.agentId}`);
}

async function step(
  deps: Deps,
  me: RuntimeIdentity,
  agent: Agent,
  reason: StopReason,
  detail: string | undefined,
  by: Cause,
) {
  const nowMs = deps.now();
  if (agent.status === 'running') {
    if (reason === 'idle' && (await isKeptActive(deps, me, agent)))
      return { stop: false, instructions: await claimTasks(deps, me, 1, by, { agent }) };
    await commitAgent(deps, agent, beginStop(agent, 'paused', reason !== 'idle', sentences[reason], nowMs), by);
    return undefined;
  }
  const left: LiveTask[] = [];
  for await (const tasks of deps.tasks.queue(me.tenant, me.agentId, 100)) {
    left.push(...tasks);
    if (left.length >= 100) break;
  }
  const workFor = (task: LiveTask) => task.status === 'queued' && task.notBeforeMs <= nowMs;
  if (
    reason === 'idle' &&
    agent.goal === 'paused' &&
    agent.statusReason === sentences.idle &&
    !agent.held &&
    left.some(workFor)
  ) {
    const running = await commitAgent(deps, agent, goOn(agent, 'work arrived', nowMs), by);
    return { stop: false, instructions: await claimTasks(deps, me, 1, by, { agent: running }) };
  }
  for (const task of left)
    if (isHeld(task) && task.runtimeId === me.id) await handBack(deps, task, by, sentences[reason]);
  await leave(deps, me, agent, reason, detail, by);
  // Who submitted before the head said that it has stopped told nobody: this look comes after that.
  if (agent.wanted || (await hasTasks(deps, me))) await nudge(deps, me);
  return { stop: true, instructions: nothing };
}

/** Whether leases keep it from idling, of which its shim may not know. Its idle time counts from their end. */
async function isKeptActive(deps: Deps, me: RuntimeIdentity, agent: Agent): Promise<boolean> {
  if (agent.activeUntilMs === undefined) return false;
  const runtime = await deps.runtimes.get(me.tenant, me.id);
  if (!runtime) return false;
  const { idleTimeoutSeconds } = await settingsOfRuntime(deps, agent, runtime);
  return deps.now() < agent.activeUntilMs + idleTimeoutSeconds * 1000;
}

async function hasTasks(deps: Deps, me: RuntimeIdentity): Promise<boolean> {
  for await (const tasks of deps.tasks.queue(me.tenant, me.agentId, 1)) return tasks.length > 0;
  return false;
}

function nudge(deps: Deps, me: RuntimeIdentity): Promise<void> {
  return deps.queues.nudge([{ tenant: me.tenant, kind: 'agent', id: me.agentId }]);
}

async function leave(
  deps: Deps,
  me: RuntimeIdentity,
  agent: Agent,
  reason: StopReason,
  detail: string | undefined,
  by: Cause,
): Promise<void> {
  const nowMs = deps.now();
  const failed = reason === 'workspace_failed' && agent.goal !== 'terminated';
  const why = detail === undefined ? sentences[reason] : `${sentences[reason]}: ${detail}`;
  const decision = failed
    ? fail(agent, why, nowMs)
    : stopped(agent, `goodbye of its runtime (${sentences[reason]})`, false, nowMs);
  await commitAgent(deps, agent, decision, by);
  await deps.runtimes.ended(me.tenant, me.id);
  await deps.queues.deleteBell(me.id);
  // What a terminated agent stored is removed by reconcile.
  if (decision.agent.status === 'terminated') await nudge(deps, me);
}
