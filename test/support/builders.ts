import type { Agent, AgentStatus } from '../../lib/domain/agent.ts';
import type { CarriedEvent } from '../../lib/domain/event.ts';
import { idOf, newId, type RandomBytes } from '../../lib/domain/id.ts';
import { type FinalStatus, type FinishedTask, type LiveTask, placeOf, type TaskStatus } from '../../lib/domain/task.ts';

/** When tests happen, unless they say otherwise. */
export const nowMs = Date.UTC(2027, 0, 4, 8, 0, 0);

/** Numbers in 0…1 that are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function bytesFrom(seed: number): RandomBytes {
  const random = randomFrom(seed);
  return (length) => Uint8Array.from({ length }, () => random() * 256);
}

/** ULIDs that sort by their number, and have codes of their own. */
export function ulid(number: number): string {
  return `01HX0000${String(number).padStart(10, '0')}${String(number).padStart(8, '0')}`;
}

export const agentId = idOf('agent', '01HX0000000000000000CARD01');
export const runtimeId = idOf('runtime', ulid(1), agentId);
export const otherRuntimeId = idOf('runtime', ulid(2), agentId);
export const taskId = idOf('task', ulid(3), agentId);

const runtimeOf: Partial<Record<AgentStatus, Partial<Agent>>> = {
  starting: { runtimeId, runtimeSinceMs: nowMs - 10_000, dueAtMs: nowMs + 50_000 },
  running: { runtimeId, runtimeSinceMs: nowMs - 10_000, idleSinceMs: nowMs - 10_000, dueAtMs: nowMs + 110_000 },
  stopping: { runtimeId, runtimeSinceMs: nowMs - 60_000, goal: 'paused', forced: false, dueAtMs: nowMs + 110_000 },
};

/** An agent with what its status implies. */
export function anAgent(status: AgentStatus = 'paused', differs: Partial<Agent> = {}): Agent {
  return {
    id: agentId,
    tenant: 'default',
    name: 'writer',
    template: 'words',
    templateVersion: 1,
    overrides: {},
    labels: {},
    status,
    statusSinceMs: nowMs - 10_000,
    held: false,
    launchTries: 0,
    waiting: false,
    retired: [],
    crashesMs: [],
    createdMs: nowMs - 60_000,
    updatedMs: nowMs - 10_000,
    version: 7,
    ...runtimeOf[status],
    ...differs,
  };
}

type TaskIn<S extends TaskStatus> = S extends FinalStatus ? FinishedTask : Extract<LiveTask, { status: S }>;

/** A live row of a task with what its status implies. */
export function aTask<S extends TaskStatus = 'queued'>(
  status: S = 'queued' as S,
  differs: Partial<LiveTask> = {},
): TaskIn<S> {
  const createdMs = differs.createdMs ?? nowMs - 60_000;
  const base = {
    id: taskId,
    agentId,
    tenant: 'default',
    place: placeOf(createdMs, 0),
    version: 1,
    attempt: 0,
    failures: 0,
    maxAttempts: 3,
    timeoutSeconds: 600,
    leaseSeconds: 60,
    createdMs,
    notBeforeMs: createdMs,
  };
  const startedMs = nowMs - 5_000;
  const held = {
    version: 2,
    attempt: 1,
    runtimeId,
    startedMs,
    firstStartedMs: startedMs,
    leaseUntilMs: nowMs + 55_000,
  };
  const implied =
    status === 'queued'
      ? {}
      : status === 'running'
        ? held
        : status === 'cancelling'
          ? { ...held, version: 3, cancelRequestedMs: nowMs - 1_000 }
          : { ...held, version: 3, finishedMs: nowMs, outcome: {} };
  return { ...base, ...implied, status, ...differs } as TaskIn<S>;
}

let carried = 0;

/** An event on its way to the log, different from all others. */
export function anEvent(type: string, differs: Partial<CarriedEvent> = {}): CarriedEvent {
  const timeMs = differs.timeMs ?? nowMs;
  return {
    id: newId('event', timeMs, bytesFrom(++carried)),
    type,
    timeMs,
    actor: { type: 'system', id: 'test' },
    cause: 'req_1',
    ...differs,
  };
}
