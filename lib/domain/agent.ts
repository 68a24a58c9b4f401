import type { EventDraft } from './event.ts';

export const agentStatuses = ['paused', 'starting', 'running', 'stopping', 'archived', 'error', 'terminated'] as const;
export type AgentStatus = (typeof agentStatuses)[number];

/** A runtime that an agent has let go of, kept until it is known to be dead: nothing of ours runs unowned. */
export interface RetiredRuntime {
  id: string;
  /** When to look next whether it is dead. */
  checkMs: number;
}

export interface Workspace {
  generation: number;
  manifestKey: string;
  manifestSha256: string;
  bytes: number;
  files: number;
}

/** The head row of an agent. It says what the agent is, what is wanted of it, and which runtime it has. */
export interface Agent {
  id: string;
  tenant: string;
  name: string;
  template: string;
  templateVersion: number;
  overrides: Record<string, unknown>;
  labels: Record<string, string>;

  status: AgentStatus;
  /** Why it is not doing what one would expect. */
  statusReason?: string | undefined;
  statusSinceMs: number;
  /** Held agents do not wake until resumed. */
  held: boolean;
  /** A runtime is wanted even without work, until one enrols: it was created with `start`, or resumed. */
  wanted?: boolean | undefined;
  /** What it is to become when it has stopped. */
  goal?: 'paused' | 'terminated' | undefined;
  /** Running tasks are handed back, not waited for. */
  forced?: boolean | undefined;

  /** The one runtime that it has or wants: from the decision to launch until goodbye or death. */
  runtimeId?: string | undefined;
  /** When the decision fell (starting), or the runtime enrolled (running). */
  runtimeSinceMs?: number | undefined;
  /** Launches in a row that did not come up. Its deadline doubles with each. */
  launchTries: number;
  /** The shim has seen an empty queue and listens to its bell. */
  waiting: boolean;
  /** ECS was asked whether it still runs, and its work not moving looked suspicious, at this time. */
  suspectSinceMs?: number | undefined;
  retired: RetiredRuntime[];
  /** Times of the latest crashes; five in ten minutes are an error. */
  crashesMs: number[];
  /** No new runtime before this time. */
  notBeforeMs?: number | undefined;

  workspace?: Workspace | undefined;
  /** When reconcile has to look at it at the latest. May be early, never late. */
  dueAtMs?: number | undefined;
  idleSinceMs?: number | undefined;
  createdMs: number;
  updatedMs: number;
  version: number;
}

export interface AgentDecision {
  agent: Agent;
  events: EventDraft[];
}

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

export const crashWindowMs = 600_000;
export const crashLimit = 5;
/** A launch that has not enrolled after this long is replaced; doubles with each try. Fargate needs 20–90 s (see aws-facts 1.4). */
export const launchDeadlineMs = 120_000;
/** An intent that nobody took up by then is sent again. */
export const intentResendMs = 60_000;
/** A running agent is looked at this long after its runtime should have shown life. */
export const lookAfterMs = 120_000;
/** A runtime that said goodbye is checked for having ended. */
export const retiredCheckMs = 180_000;

export type NewAgent = Pick<
  Agent,
  'id' | 'tenant' | 'name' | 'template' | 'templateVersion' | 'overrides' | 'labels'
> & { nowMs: number; start: boolean };

export function create(command: NewAgent): AgentDecision {
  const { nowMs, start: wanted, ...identity } = command;
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
    idleSinceMs: nowMs,
    createdMs: nowMs,
    updatedMs: nowMs,
    version: 1,
  };
  const { name, template, templateVersion } = identity;
  return { agent, events: [{ type: 'agent.created', data: { name, template, templateVersion } }] };
}

export type AgentChange = Partial<Pick<Agent, 'name' | 'labels' | 'overrides' | 'templateVersion'>>;

/** New settings; a running agent takes them up at its next wake. */
export function update(agent: Agent, change: AgentChange, nowMs: number): AgentDecision {
  require(agent, 'be changed', ['paused', 'starting', 'running', 'stopping', 'archived', 'error']);
  return decided(agent, { ...change }, nowMs, { type: 'agent.updated', data: { fields: Object.keys(change) } });
}

/** The decision to launch. `reason` says what it is for. */
export function start(agent: Agent, runtimeId: string, reason: string, nowMs: number): AgentDecision {
  require(agent, 'start', ['paused']);
  return decided(
    agent,
    {
      ...status('starting', nowMs, reason),
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
    { type: 'agent.starting', data: { runtimeId, reason, attempt: agent.launchTries + 1 } },
  );
}

/** The one way in which a runtime becomes the agent's: whoever comes second is refused by the write's condition. */
export function enrol(agent: Agent, nowMs: number): AgentDecision {
  require(agent, 'take a runtime in', ['starting']);
  return decided(
    agent,
    {
      ...status('running', nowMs),
      runtimeSinceMs: nowMs,
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
  require(agent, 'fail to launch', ['starting']);
  const launchTries = agent.launchTries + 1;
  const retired = retire(agent, nowMs);
  const crashesMs = ours ? agent.crashesMs : [...recentCrashes(agent, nowMs), nowMs];
  const data = { runtimeId: agent.runtimeId, reason };
  if (crashesMs.length >= crashLimit) return toError({ ...agent, crashesMs, retired, launchTries }, reason, nowMs);
  const delayMs = Math.min(1000 * 2 ** (launchTries - 1), 300_000);
  return decided(
    agent,
    {
      ...status('paused', nowMs, `launch failed: ${reason}; next try in ${delayMs / 1000} s`),
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

/** A runtime that enrolled is dead, and never said goodbye. `proof` says how that is known. */
export function runtimeLost(agent: Agent, proof: string, nowMs: number): AgentDecision {
  require(agent, 'lose its runtime', ['running', 'stopping']);
  if (agent.status === 'stopping') return stopped(agent, proof, true, nowMs);
  const crashesMs = [...recentCrashes(agent, nowMs), nowMs];
  const data = { runtimeId: agent.runtimeId, proof };
  if (crashesMs.length >= crashLimit)
    return toError(
      { ...agent, crashesMs },
      `its runtimes crashed ${crashLimit} times in ten minutes, the last one: ${proof}`,
      nowMs,
    );
  // The first crash is replaced at once: what a task loses by waiting is certain, a crash loop is not.
  const delayMs = crashesMs.length === 1 ? 0 : Math.min(1000 * 2 ** (crashesMs.length - 2), 60_000);
  return decided(
    agent,
    {
      ...status('paused', nowMs, `its runtime was lost: ${proof}`),
      ...withoutRuntime,
      crashesMs,
      notBeforeMs: nowMs + delayMs,
      dueAtMs: nowMs + delayMs,
    },
    nowMs,
    { type: 'agent.runtime_lost', data },
  );
}

/** Wanted: no runtime. With `force`, what runs is handed back; without, it is waited for. */
export function beginStop(
  agent: Agent,
  goal: 'paused' | 'terminated',
  force: boolean,
  reason: string,
  nowMs: number,
): AgentDecision {
  require(agent, 'stop', ['running', 'stopping']);
  const kept = agent.goal === 'terminated' ? 'terminated' : goal;
  return decided(
    agent,
    {
      ...(agent.status === 'stopping' ? {} : status('stopping', nowMs, reason)),
      statusReason: reason,
      goal: kept,
      forced: agent.forced || force,
      wanted: undefined,
      dueAtMs: nowMs + lookAfterMs,
    },
    nowMs,
    { type: 'agent.stopping', data: { runtimeId: agent.runtimeId, reason, goal: kept } },
  );
}

/** Work came while it was about to pause, or it was resumed: it goes on. */
export function goOn(agent: Agent, reason: string, nowMs: number): AgentDecision {
  require(agent, 'go on', ['stopping']);
  return decided(
    agent,
    { ...status('running', nowMs), goal: undefined, forced: undefined, dueAtMs: nowMs + lookAfterMs },
    nowMs,
    { type: 'agent.running', data: { runtimeId: agent.runtimeId, reason } },
  );
}

/** It has stopped: by its own goodbye (`dead: false`, still to be checked), or because it is known to be dead. */
export function stopped(agent: Agent, proof: string, dead: boolean, nowMs: number): AgentDecision {
  require(agent, 'have stopped', ['stopping']);
  // It has said goodbye, and is given time to end by itself.
  const retired = dead ? agent.retired : retire(agent, nowMs + retiredCheckMs);
  const change = { ...withoutRuntime, retired, dueAtMs: agent.wanted ? nowMs : undefined };
  if (agent.goal === 'terminated') return terminated({ ...agent, ...change }, nowMs);
  return decided(
    agent,
    { ...change, ...status('paused', nowMs, agent.held ? 'held' : agent.statusReason), idleSinceMs: nowMs },
    nowMs,
    {
      type: 'agent.paused',
      data: { runtimeId: agent.runtimeId, reason: agent.statusReason, proof },
    },
  );
}

/** A launch that is no longer wanted is let go of; the runtime will be refused when it enrols, and is stopped. */
export function abandonLaunch(
  agent: Agent,
  goal: 'paused' | 'terminated',
  reason: string,
  nowMs: number,
): AgentDecision {
  require(agent, 'abandon its launch', ['starting']);
  const change = { ...withoutRuntime, wanted: undefined, retired: retire(agent, nowMs), dueAtMs: undefined };
  if (goal === 'terminated') return terminated({ ...agent, ...change }, nowMs);
  return decided(agent, { ...change, ...status('paused', nowMs, reason), idleSinceMs: nowMs }, nowMs, {
    type: 'agent.paused',
    data: { runtimeId: agent.runtimeId, reason },
  });
}

export function hold(agent: Agent, nowMs: number): AgentDecision {
  require(agent, 'be held', ['paused', 'starting', 'running', 'stopping']);
  return decided(agent, { held: true, statusReason: agent.status === 'paused' ? 'held' : agent.statusReason }, nowMs, {
    type: 'agent.held',
  });
}

/** Ends a hold, and wants a runtime: the reconcile that follows starts it. One that runs already is left as it is. */
export function resume(agent: Agent, nowMs: number): AgentDecision {
  require(agent, 'be resumed', ['paused', 'starting', 'running', 'stopping']);
  const idle = agent.status === 'paused' || agent.status === 'stopping';
  if (!idle && !agent.held) return { agent, events: [] };
  const change = { held: false, statusReason: undefined, ...(idle ? { wanted: true, dueAtMs: nowMs } : {}) };
  return decided(agent, change, nowMs, { type: 'agent.resumed' });
}

/** It can't go on by itself: its runtime said so when it left. */
export function fail(agent: Agent, reason: string, nowMs: number): AgentDecision {
  require(agent, 'fail', ['stopping']);
  return toError({ ...agent, retired: retire(agent, nowMs) }, reason, nowMs);
}

/** Out of `error`, with a clean slate. */
export function recover(agent: Agent, nowMs: number): AgentDecision {
  require(agent, 'recover', ['error']);
  return decided(
    agent,
    { ...status('paused', nowMs), crashesMs: [], launchTries: 0, notBeforeMs: undefined, dueAtMs: nowMs },
    nowMs,
    { type: 'agent.recovered' },
  );
}

/** The end of an agent that has no runtime. Its row stays; its workspace goes. */
export function terminate(agent: Agent, nowMs: number): AgentDecision {
  require(agent, 'be terminated', ['paused', 'archived', 'error']);
  return terminated(agent, nowMs);
}

/** A generation of the workspace is verified, and is now the one that the next runtime starts from. */
export function saveWorkspace(agent: Agent, workspace: Workspace, nowMs: number): AgentDecision {
  require(agent, 'save its workspace', ['running', 'stopping']);
  const { generation, bytes, files } = workspace;
  return decided(agent, { workspace }, nowMs, { type: 'agent.workspace_saved', data: { generation, bytes, files } });
}

/** No transition, no event: only another time to look, or the memory of a look. */
export function rearm(
  agent: Agent,
  change: Partial<Pick<Agent, 'dueAtMs' | 'retired' | 'suspectSinceMs' | 'statusReason' | 'wanted'>>,
): AgentDecision {
  return { agent: inTime({ ...agent, ...change, version: agent.version + 1 }), events: [] };
}

/** How long a launch may take until it is replaced, by how many failed before it. */
export function launchDeadline(agent: Agent): number {
  return Math.min(launchDeadlineMs * 2 ** agent.launchTries, 1_800_000);
}

function terminated(agent: Agent, nowMs: number): AgentDecision {
  // Due at once: reconcile ends its tasks and removes what it stored.
  const change = {
    ...status('terminated', nowMs),
    held: false,
    wanted: undefined,
    dueAtMs: nowMs,
    idleSinceMs: undefined,
  };
  return decided(agent, change, nowMs, {
    type: 'agent.terminated',
  });
}

function toError(agent: Agent, reason: string, nowMs: number): AgentDecision {
  return decided(agent, { ...status('error', nowMs, reason), ...withoutRuntime, dueAtMs: undefined }, nowMs, {
    type: 'agent.failed',
    data: { runtimeId: agent.runtimeId, reason },
  });
}

const withoutRuntime = {
  runtimeId: undefined,
  runtimeSinceMs: undefined,
  waiting: false,
  suspectSinceMs: undefined,
  goal: undefined,
  forced: undefined,
} as const;

function retire(agent: Agent, checkMs: number): RetiredRuntime[] {
  return agent.runtimeId ? [...agent.retired, { id: agent.runtimeId, checkMs }] : agent.retired;
}

function recentCrashes(agent: Agent, nowMs: number): number[] {
  return agent.crashesMs.filter((timeMs) => timeMs > nowMs - crashWindowMs);
}

function status(next: AgentStatus, nowMs: number, statusReason?: string) {
  return { status: next, statusSinceMs: nowMs, statusReason };
}

function decided(agent: Agent, change: Partial<Agent>, nowMs: number, event: EventDraft): AgentDecision {
  return { agent: inTime({ ...agent, ...change, updatedMs: nowMs, version: agent.version + 1 }), events: [event] };
}

/** Whatever else it is due for: a runtime that it has let go of is looked at in time. */
function inTime(agent: Agent): Agent {
  const checkMs = Math.min(...agent.retired.map((runtime) => runtime.checkMs));
  return checkMs < (agent.dueAtMs ?? Number.POSITIVE_INFINITY) ? { ...agent, dueAtMs: checkMs } : agent;
}

function require(agent: Agent, command: string, allowed: readonly AgentStatus[]): void {
  if (!allowed.includes(agent.status)) throw new IllegalTransition(command, agent.status, allowed);
}
