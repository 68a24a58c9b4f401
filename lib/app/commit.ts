import type { Agent, AgentDecision } from '../domain/agent.ts';
import { IllegalTransition } from '../domain/agent-transition.ts';
import { illegalTransition, notFound, RouseError } from '../domain/errors.ts';
import type { Actor, CarriedEvent, EventDraft } from '../domain/event.ts';
import { newId } from '../domain/id.ts';
import type { LiveTask, TaskDecision } from '../domain/task.ts';
import type { Deps } from './deps.ts';
import { Conflict } from './ports.ts';

/** Who acts, and because of which request or event: what every event tells. */
export interface Cause {
  actor: Actor;
  cause: string;
}

/** How often a write that lost a race is decided again. */
const tries = 4;

export function carry(deps: Pick<Deps, 'now' | 'random'>, drafts: EventDraft[], by: Cause): CarriedEvent[] {
  const timeMs = deps.now();
  return drafts.map((draft) => ({ ...draft, id: newId('event', timeMs, deps.random), timeMs, ...by }));
}

/** Decides and commits; whoever loses a race decides again on what is there now. */
export async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 1; ; i++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Conflict) || i >= tries) throw error;
    }
  }
}

export async function commitAgent(deps: Deps, before: Agent, decision: AgentDecision, by: Cause): Promise<Agent> {
  await deps.agents.commit(before, decision.agent, carry(deps, decision.events, by));
  if (decision.events.length > 0) {
    const { id, status, statusReason } = decision.agent;
    deps.log.info('agent changed', {
      agentId: id,
      types: decision.events.map((event) => event.type),
      status,
      statusReason,
    });
  }
  return decision.agent;
}

export async function commitTask<T extends LiveTask>(
  deps: Deps,
  before: LiveTask,
  decision: TaskDecision<T>,
  by: Cause,
): Promise<T> {
  await deps.tasks.commit(before, decision.task, carry(deps, decision.events, by));
  return decision.task;
}

/** Loads an agent, decides, commits, and tells a client in its words what is not possible. */
export async function changeAgent(
  deps: Deps,
  tenant: string,
  agentId: string,
  by: Cause,
  decide: (agent: Agent) => AgentDecision | Promise<AgentDecision>,
): Promise<Agent> {
  try {
    return await retried(async () => {
      const agent = await existingAgent(deps, tenant, agentId);
      const decision = await decide(agent);
      return decision.agent === agent ? agent : commitAgent(deps, agent, decision, by);
    });
  } catch (error) {
    if (error instanceof IllegalTransition)
      throw illegalTransition('agent', agentId, error.status, error.command, error.allowed);
    if (error instanceof Conflict) throw new RouseError('conflict', `${error.message} Try again.`, { cause: error });
    throw error;
  }
}

export async function existingAgent(deps: Deps, tenant: string, agentId: string): Promise<Agent> {
  const agent = await deps.agents.get(tenant, agentId, { strong: true });
  if (!agent) throw notFound('agent', agentId);
  return agent;
}

/** A write of the system itself, on the occasion of `cause`. */
export function bySystem(part: string, cause: string): Cause {
  return { actor: { type: 'system', id: part }, cause };
}
