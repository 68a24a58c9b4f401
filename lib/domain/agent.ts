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

/** A generation that is kept until a fork has copied it. */
export interface Pin {
  forkId: string;
  generation: number;
  /** When to look whether it still is copied. */
  checkMs: number;
}

/** How far the copy of a fork's workspace is. */
export interface Copy {
  /** So many packs are there. */
  packs: number;
  /** Parts of the next one. */
  upload?: { id: string; etags: string[] };
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
  /** Why it is held, unless somebody wanted it. */
  heldReason?: string | undefined;
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
  /** What a second of one of its runtime's places costs. */
  usdPerSecond?: number | undefined;
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
  /** Numbers of the generations that are kept, ascending. All others may be removed. */
  generations?: number[] | undefined;
  /** Those of them that could not be restored. */
  damaged?: number[] | undefined;
  /** The highest number that a generation ever had: none is used twice. */
  lastGeneration?: number | undefined;
  pins?: Pin[] | undefined;
  /** Whose copy it is, and of which generation; null if there were no files. */
  forkOf?: { agentId: string; generation: number | null } | undefined;
  /** Its workspace is still being copied, and it does not start before that is done. */
  copy?: Copy | undefined;
  /** When reconcile has to look at it at the latest. May be early, never late. */
  dueAtMs?: number | undefined;
  idleSinceMs?: number | undefined;
  /** Until when activity leases keep it from pausing for being idle. */
  activeUntilMs?: number | undefined;
  /** When the first of its leases without a task between them was taken. */
  activeSinceMs?: number | undefined;
  /** What ended attempts have used, counted while it has a budget. Rises without a new version. */
  usedTokens?: number | undefined;
  usedCostUsd?: number | undefined;
  createdMs: number;
  updatedMs: number;
  version: number;
}

/** Why a held agent does not wake, in a few words; undefined when it is not held. */
export function holdReason({ held, heldReason = 'held' }: Agent): string | undefined {
  return held ? heldReason : undefined;
}

/** Why it is what it is, in a few words: what was noted, or what can be seen. One that is terminated is over. */
export function reasonOf(agent: Agent, tasks: { queued: number; running: number }): string | undefined {
  if (agent.statusReason !== undefined || agent.status === 'terminated') return agent.statusReason;
  if (tasks.running > 0) return `it has ${tasks.running} running ${tasks.running === 1 ? 'task' : 'tasks'}`;
  if (tasks.queued > 0 || agent.wanted) return 'it is about to start its work';
  return 'it has no work';
}

export interface AgentDecision {
  agent: Agent;
  events: EventDraft[];
}
