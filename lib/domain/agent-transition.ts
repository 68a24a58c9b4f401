import type { Agent, AgentDecision, AgentStatus, RetiredRuntime } from './agent.ts';
import type { EventDraft } from './event.ts';

/** What all transitions of an agent are made of. */

/** A transition that the agent's status does not allow. */
export class IllegalTransition extends Error {
  readonly command: string;
  readonly status: AgentStatus;
  readonly allowed: readonly AgentStatus[];

  constructor(command: string, status: AgentStatus, allowed: readonly AgentStatus[]) {
    super(`An agent that is ${status} can't ${command}; it would have to be ${allowed.join(' or ')}.`);
    this.command = command;
    this.status = status;
    this.allowed = allowed;
  }
}

export function requireStatus(agent: Agent, command: string, allowed: readonly AgentStatus[]): void {
  if (!allowed.includes(agent.status)) throw new IllegalTransition(command, agent.status, allowed);
}

export function decided(agent: Agent, change: Partial<Agent>, nowMs: number, event: EventDraft): AgentDecision {
  return { agent: inTime({ ...agent, ...change, updatedMs: nowMs, version: agent.version + 1 }), events: [event] };
}

/** What reconcile writes down for its next look. */
type Remembered =
  | 'dueAtMs'
  | 'retired'
  | 'suspectSinceMs'
  | 'statusReason'
  | 'wanted'
  | 'pins'
  | 'copy'
  | 'generations'
  | 'damaged';

/** No transition, no event: only another time to look, or the memory of a look. */
export function rearm(agent: Agent, change: Partial<Pick<Agent, Remembered>>): AgentDecision {
  return { agent: inTime({ ...agent, ...change, version: agent.version + 1 }), events: [] };
}

/** Whatever else it is due for: a runtime that it has let go of is looked at in time, and so is what it keeps for a fork. */
function inTime(agent: Agent): Agent {
  const checkMs = Math.min(...[...agent.retired, ...(agent.pins ?? [])].map((checked) => checked.checkMs));
  return checkMs < (agent.dueAtMs ?? Number.POSITIVE_INFINITY) ? { ...agent, dueAtMs: checkMs } : agent;
}

export function inStatus(next: AgentStatus, nowMs: number, statusReason?: string) {
  return { status: next, statusSinceMs: nowMs, statusReason };
}

/** A running agent is looked at this long after its runtime should have shown life. */
export const lookAfterMs = 120_000;

export const withoutRuntime = {
  runtimeId: undefined,
  runtimeSinceMs: undefined,
  usdPerSecond: undefined,
  waiting: false,
  suspectSinceMs: undefined,
  activeUntilMs: undefined,
  activeSinceMs: undefined,
  goal: undefined,
  forced: undefined,
} as const;

export function retire(agent: Agent, checkMs: number): RetiredRuntime[] {
  return agent.runtimeId ? [...agent.retired, { id: agent.runtimeId, checkMs }] : agent.retired;
}
