import { type Agent, type AgentDecision, holdReason } from './agent.ts';
import { decided, inStatus, requireStatus } from './agent-transition.ts';

export type NewAgent = Pick<Agent, 'id' | 'tenant' | 'name' | 'template' | 'templateVersion' | 'overrides' | 'labels'> &
  Pick<Agent, 'forkOf'> & { nowMs: number; start: boolean };

export function create(command: NewAgent): AgentDecision {
  const { nowMs, start: wanted, ...identity } = command;
  const copiesFiles = identity.forkOf !== undefined && identity.forkOf.generation !== null;
  const agent: Agent = {
    ...identity,
    status: 'paused',
    statusSinceMs: nowMs,
    held: false,
    launchTries: 0,
    waiting: false,
    retired: [],
    crashesMs: [],
    ...(wanted ? { wanted, dueAtMs: nowMs } : {}),
    ...(copiesFiles ? { copy: { packs: 0 }, statusReason: copying(identity.forkOf), dueAtMs: nowMs } : {}),
    idleSinceMs: nowMs,
    createdMs: nowMs,
    updatedMs: nowMs,
    version: 1,
  };
  const { name, template, templateVersion, forkOf } = identity;
  const data = { name, template, templateVersion, ...(forkOf ? { forkOf } : {}) };
  return { agent, events: [{ type: 'agent.created', data }] };
}

const copying = (from: Agent['forkOf']) =>
  `its workspace is being copied from ${from?.agentId} (generation ${from?.generation})`;

export type AgentChange = Partial<Pick<Agent, 'name' | 'labels' | 'overrides' | 'templateVersion'>>;

/** New settings; a running agent takes them up at its next wake. */
export function update(agent: Agent, change: AgentChange, nowMs: number): AgentDecision {
  requireStatus(agent, 'be changed', ['paused', 'starting', 'running', 'stopping', 'archived', 'error']);
  return decided(agent, { ...change }, nowMs, { type: 'agent.updated', data: { fields: Object.keys(change) } });
}

/** @param heldReason why, unless somebody wants it */
export function hold(agent: Agent, nowMs: number, heldReason?: string): AgentDecision {
  requireStatus(agent, 'be held', ['paused', 'starting', 'running', 'stopping']);
  const held = { ...agent, held: true, heldReason };
  const statusReason = agent.status === 'paused' ? holdReason(held) : agent.statusReason;
  const data = heldReason === undefined ? {} : { data: { reason: heldReason } };
  return decided(held, { statusReason }, nowMs, { type: 'agent.held', ...data });
}

/** Ends a hold, and wants a runtime: the reconcile that follows starts it. One that runs already is left as it is. */
export function resume(agent: Agent, nowMs: number): AgentDecision {
  requireStatus(agent, 'be resumed', ['paused', 'starting', 'running', 'stopping']);
  const idle = agent.status === 'paused' || agent.status === 'stopping';
  if (!idle && !agent.held) return { agent, events: [] };
  const change = {
    held: false,
    heldReason: undefined,
    statusReason: undefined,
    ...(idle ? { wanted: true, dueAtMs: nowMs } : {}),
  };
  return decided(agent, change, nowMs, { type: 'agent.resumed' });
}

/** The end of an agent that has no runtime. Its row stays; its workspace goes. */
export function terminate(agent: Agent, nowMs: number): AgentDecision {
  requireStatus(agent, 'be terminated', ['paused', 'archived', 'error']);
  return terminated(agent, nowMs);
}

export function terminated(agent: Agent, nowMs: number): AgentDecision {
  // Due at once: reconcile ends its tasks and removes what it stored.
  const change = {
    ...inStatus('terminated', nowMs),
    held: false,
    heldReason: undefined,
    wanted: undefined,
    dueAtMs: nowMs,
    idleSinceMs: undefined,
  };
  return decided(agent, change, nowMs, {
    type: 'agent.terminated',
  });
}
