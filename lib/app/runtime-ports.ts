import type { CarriedEvent } from '../domain/event.ts';
import type { Pool } from '../domain/pool.ts';
import type { Page } from './ports.ts';

/** What the use cases need of containers: their rows, their host, and the pools in which they wait. */

/** The warm pools of templates. */
export interface Pools {
  get(tenant: string, template: string, options: { strong: boolean }): Promise<Pool | undefined>;
  /** Puts it unless it exists. */
  create(pool: Pool): Promise<void>;
  /** Writes what differs, if the pool still is what `before` says. */
  commit(before: Pool, after: Pool, events: CarriedEvent[]): Promise<void>;
}

/** One container, as it was decided: launching it twice sends the very same parameters. */
export interface Runtime {
  id: string;
  /** Whose it is. A standby is no agent's until one takes it over. */
  agentId?: string | undefined;
  /** The template whose pool launched it. */
  pool?: string | undefined;
  tenant: string;
  createdMs: number;
  taskDefinitionArn: string;
  taskRoleArn: string;
  capacity: 'on-demand' | 'spot';
  stopTimeoutSeconds: number;
  templateVersion: number;
  /** What the agent had different from its template when the launch, or the takeover, was decided. */
  overrides?: Record<string, unknown> | undefined;
  status: 'intended' | 'launched' | 'standby' | 'enrolled' | 'ended';
  /** Since when its launch has waited for room among the tenant's runtimes. */
  waitingMs?: number | undefined;
  /** When RunTask was first called with its token. */
  attemptedMs?: number | undefined;
  /** Since when ECS has not known its task. */
  missingSinceMs?: number | undefined;
  taskArn?: string | undefined;
  launchedMs?: number | undefined;
  enrolledMs?: number | undefined;
  nonceHash?: string | undefined;
  /** When a standby last asked what it is for. */
  seenMs?: number | undefined;
  /** When an agent took it over from its pool. */
  takenMs?: number | undefined;
  /** When its pool let go of it: nobody takes it over any more, and it is told to stop. */
  dismissedMs?: number | undefined;
  /** The latest ECS event seen, by its version. */
  observed?: Observation | undefined;
}

/** Which runtime it is, and whose. */
export type OwnedRuntime = Pick<Runtime, 'id' | 'tenant' | 'agentId' | 'pool'>;

/** What ECS says of a task. */
export interface Observation {
  taskArn: string;
  version: number;
  lastStatus: string;
  desiredStatus: string;
  stopCode?: string | undefined;
  stoppedReason?: string | undefined;
  exitCode?: number | undefined;
  /** The container has ended, even if ECS is still cleaning up. */
  executionStopped: boolean;
  /** The image is still being pulled. */
  pulling: boolean;
}

/** Who takes a standby over, and with which settings. */
export interface Takeover {
  agentId: string;
  templateVersion: number;
  overrides: Record<string, unknown>;
  nowMs: number;
}

export interface Runtimes {
  get(tenant: string, runtimeId: string): Promise<Runtime | undefined>;
  /** Those that there are. */
  getAll(tenant: string, runtimeIds: string[]): Promise<Runtime[]>;
  /** Puts it unless it exists. */
  create(runtime: Runtime): Promise<void>;
  /**
   * Gives a standby to an agent. Exactly one of those who try gets it.
   * @returns the runtime as it is now, or undefined when it is another agent's, dismissed, or no standby yet
   */
  takeOver(tenant: string, runtimeId: string, by: Takeover): Promise<Runtime | undefined>;
  /** Lets go of a runtime of a pool, as it was seen; false when an agent has taken it over meanwhile. */
  dismiss(runtime: Runtime, nowMs: number): Promise<boolean>;
  /** Notes that a standby has asked. */
  seen(runtime: Runtime, nowMs: number): Promise<void>;
  /** Notes that its launch waits for room. */
  setWaiting(runtime: Runtime, nowMs: number): Promise<void>;
  /** Notes that RunTask is about to be called. @returns when it was called first */
  attempt(runtime: Runtime, nowMs: number): Promise<number>;
  /** Notes that ECS does not know its task, or that it does again. */
  setMissing(runtime: Runtime, sinceMs: number | undefined): Promise<void>;
  launched(runtime: Runtime, taskArn: string, nowMs: number): Promise<void>;
  /** Notes who has enrolled; false if it was another, at the same moment. */
  enrolled(runtime: Runtime, nonceHash: string, taskArn: string, nowMs: number): Promise<boolean>;
  ended(tenant: string, runtimeId: string): Promise<void>;
  /** Keeps the newest observation; false when it is an old one. */
  observe(tenant: string, runtimeId: string, observation: Observation): Promise<boolean>;
}

/** The place of a runtime among those that a tenant may have at once. */
export interface Slot {
  runtimeId: string;
  agentId?: string | undefined;
  /** It was launched for this pool. */
  pool?: string | undefined;
}

/** How many runtimes a tenant has, exactly, and the launches that wait until there are fewer. */
export interface Rooms {
  /** Takes a place, which ends the waiting; true also for who has one. False when as many as `limit` are taken. */
  enter(tenant: string, slot: Slot, limit: number | undefined): Promise<boolean>;
  has(tenant: string, runtimeId: string): Promise<boolean>;
  /** Gives the place back, and waits no more. True when it had either, so that another may be next. */
  leave(tenant: string, runtimeId: string): Promise<boolean>;
  /** Waits in the order of the decisions to launch. The room is looked at by `lookMs`. */
  wait(tenant: string, runtimeId: string, agentId: string, lookMs: number): Promise<void>;
  stopWaiting(tenant: string, runtimeId: string): Promise<void>;
  /** Who waits, the longest first. */
  waiting(tenant: string, limit: number): Promise<{ runtimeId: string; agentId: string }[]>;
  state(tenant: string): Promise<{ used: number; dueAtMs: number | undefined; cursor: string | undefined }>;
  slots(tenant: string, limit: number, after: string | undefined): Promise<Slot[]>;
  /** Sets the next look, unless somebody has asked for an earlier one since `seenDueMs` was read. */
  lookedAt(
    tenant: string,
    seenDueMs: number | undefined,
    next: { dueAtMs: number | undefined; cursor: string | undefined },
  ): Promise<void>;
}

/** Why a launch did not happen. `ours`: capacity, pacing, quotas; the agent is not to blame and it is tried again. */
export interface Refusal {
  reason: string;
  ours: boolean;
}

/** A task that ECS runs, whoever started it. */
export interface RunningTask {
  taskArn: string;
  startedBy: string | undefined;
  /** What it was started for, by what it says. */
  runtime: { tenant: string; runtimeId: string } | undefined;
  isOfService: boolean;
  startedMs: number;
}

/** The containers' host. */
export interface Runner {
  /** Launches with the runtime's id as token; a launch that happened before is adopted. */
  launch(runtime: Runtime): Promise<{ taskArn: string } | { refused: Refusal }>;
  /** `missing` proves nothing for a young task; a failed look-up throws. */
  describe(taskArn: string): Promise<Observation | 'missing'>;
  /** Tasks that were started by this runtime, running or stopped within the hour. */
  find(runtime: OwnedRuntime): Promise<string[]>;
  stop(taskArn: string, reason: string): Promise<void>;
  /** Tasks that are to run, a page at a time. A cursor that has become too old starts again. */
  list(cursor: string | undefined): Promise<Page<RunningTask>>;
  /** Those of these tasks that have not stopped. */
  running(taskArns: string[]): Promise<RunningTask[]>;
}
