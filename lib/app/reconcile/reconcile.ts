import type { Agent } from '../../domain/agent.ts';
import { rearm } from '../../domain/agent-transition.ts';
import { agentHead } from '../../domain/head.ts';
import { bySystem, type Cause, commitAgent } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { Conflict } from '../ports.ts';
import { stepArchived } from './archived.ts';
import { stepPaused } from './paused.ts';
import { stepPins } from './pins.ts';
import { viewQueue } from './queue-view.ts';
import { stepRetired } from './retired.ts';
import { stepRunning } from './running.ts';
import { stepStarting } from './starting.ts';
import { act, type Sight, type Step } from './step.ts';
import { stepStopping } from './stopping.ts';
import { stepTerminated } from './terminated.ts';

/** Enough for the longest chain: a lost runtime, its tasks back in the queue, a new start. */
const rounds = 6;
/** A look that finds nothing to do, at an agent that is due, is repeated after this long. */
const againMs = 60_000;

/**
 * Reads what is wanted of an agent and what is, decides, commits, acts; until there is nothing to do. May be called at
 * any time, any number of times, by several at once: the writes' conditions decide who does what.
 */
export async function reconcile(deps: Deps, tenant: string, agentId: string, cause: string): Promise<void> {
  const by = bySystem('dispatch', cause);
  for (let round = 0; round < rounds; round++) {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    if (!agent) return;
    try {
      if (!(await turn(deps, agent, by))) return;
    } catch (error) {
      // Somebody else was faster; what is there now may want something else.
      if (!(error instanceof Conflict)) throw error;
    }
  }
  // Still changing under our hands: whoever changes it looks at it, and the sweep does.
  await deps.due.lower(agentHead(tenant, agentId), deps.now() + 1000);
}

/** One look and what follows from it. True when there is more to do. */
async function turn(deps: Deps, agent: Agent, by: Cause): Promise<boolean> {
  const nowMs = deps.now();
  const letGo = (await stepRetired(deps, agent, nowMs)) ?? (await stepPins(deps, agent, nowMs));
  if (letGo) {
    await carryOut(deps, agent, letGo, by);
    return true;
  }
  const queue = await viewQueue(deps, agent, by);
  if (queue.changed) return true;
  const runtime = agent.runtimeId ? await deps.runtimes.get(agent.tenant, agent.runtimeId) : undefined;
  const step = await stepOf({ deps, agent, runtime, queue, nowMs, by });
  if (step.decision || step.effects?.length) await carryOut(deps, agent, step, by);
  const after = step.decision?.agent ?? agent;
  if (!step.again && !step.decision?.events.length && after.dueAtMs !== undefined && after.dueAtMs <= deps.now()) {
    await carryOut(deps, after, { decision: rearm(after, { dueAtMs: nowMs + againMs }) }, by);
  }
  return step.again ?? false;
}

async function carryOut(deps: Deps, agent: Agent, step: Step, by: Cause): Promise<void> {
  const head = agentHead(agent.tenant, agent.id);
  await act(deps, head, step.cleanups ?? []);
  if (step.decision) await commitAgent(deps, agent, step.decision, by);
  await act(deps, head, step.effects ?? []);
}

/** It starts nothing by itself; only what expires is looked after. */
function stepAside({ agent, queue }: Sight): Step {
  const decision = rearm(agent, { dueAtMs: queue.expiryMs });
  return decision.agent.dueAtMs === agent.dueAtMs ? {} : { decision };
}

async function stepOf(sight: Sight): Promise<Step> {
  switch (sight.agent.status) {
    case 'paused':
      return stepPaused(sight);
    case 'starting':
      return stepStarting(sight);
    case 'running':
      return stepRunning(sight);
    case 'stopping':
      return stepStopping(sight);
    case 'terminated':
      return stepTerminated(sight);
    case 'archived':
      return stepArchived(sight);
    case 'error':
      return stepAside(sight);
    default:
      return sight.agent.status satisfies never;
  }
}
