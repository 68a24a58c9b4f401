import type { RetiredRuntime } from './agent.ts';
import type { EventDraft } from './event.ts';

/** A runtime of a pool: launched from a template, and no agent's yet. */
export interface Standby {
  id: string;
  templateVersion: number;
  /** It has enrolled, and waits to be taken over. */
  ready: boolean;
}

/** The warm pool of a template: which standbys it has, and how many are wanted. */
export interface Pool {
  /** Name of its template. */
  id: string;
  tenant: string;
  wanted: number;
  /** Version of the template that standbys are launched from; undefined when there is none to launch from. */
  templateVersion?: number | undefined;
  standbys: Standby[];
  /** Runtimes that it has let go of, kept until they are known to be dead. */
  retired: RetiredRuntime[];
  /** Standbys in a row that did not come up, or died. */
  launchTries: number;
  /** Times of the latest crashes; five in ten minutes stop the launching. */
  crashesMs: number[];
  /** No launch before this time. */
  notBeforeMs?: number | undefined;
  /** Why it is not full. */
  statusReason?: string | undefined;
  statusSinceMs: number;
  /** When to look at it at the latest. May be early, never late. */
  dueAtMs?: number | undefined;
  createdMs: number;
  updatedMs: number;
  version: number;
}

export interface PoolDecision {
  pool: Pool;
  events: EventDraft[];
}

export type PoolCommand =
  /** The template is another one, or wants another number. */
  | { type: 'aim'; wanted: number; templateVersion: number | undefined }
  | { type: 'launch'; runtimeId: string }
  | { type: 'welcome'; runtimeId: string }
  /** An agent has it now: its life is the agent's affair. */
  | { type: 'hand_over'; runtimeId: string; agentId: string }
  /** No longer wanted: it is told to stop, and kept in mind until it is dead. */
  | { type: 'dismiss'; runtimeId: string; reason: string }
  /** It did not come up, or died. `ours`: capacity, pacing, the cloud; no sign that the template is broken. */
  | { type: 'lose'; runtimeId: string; proof: string; ours: boolean; dead: boolean };

export const crashWindowMs = 600_000;
export const crashLimit = 5;
/** How long a pool whose standbys keep crashing launches none; a new version of the template ends it. */
export const brokenMs = 3_600_000;
/** One look launches this many at most. */
const launchesPerLook = 10;
/** How soon after its dismissal a standby is expected to have ended by itself. */
export const dismissedCheckMs = 60_000;

export function newPool(tenant: string, template: string, nowMs: number): Pool {
  return {
    id: template,
    tenant,
    wanted: 0,
    standbys: [],
    retired: [],
    launchTries: 0,
    crashesMs: [],
    statusSinceMs: nowMs,
    createdMs: nowMs,
    updatedMs: nowMs,
    version: 1,
  };
}

/** All that one look has found and wants, as one change with its events. */
export function decide(pool: Pool, commands: readonly PoolCommand[], nowMs: number): PoolDecision {
  const decision = commands.reduce<PoolDecision>(
    (before, command) => {
      const { pool, events } = perform(before.pool, command, nowMs);
      return { pool, events: [...before.events, ...events] };
    },
    { pool, events: [] },
  );
  const after = decision.pool;
  if (after === pool) return decision;
  return { ...decision, pool: { ...after, updatedMs: nowMs, version: pool.version + 1 } };
}

function perform(pool: Pool, command: PoolCommand, nowMs: number): PoolDecision {
  switch (command.type) {
    case 'aim':
      return aim(pool, command.wanted, command.templateVersion, nowMs);
    case 'launch':
      return launch(pool, command.runtimeId);
    case 'welcome':
      return welcome(pool, command.runtimeId);
    case 'hand_over': {
      const { runtimeId, agentId } = command;
      return { pool: without(pool, runtimeId), events: [{ type: 'pool.taken_over', data: { runtimeId, agentId } }] };
    }
    case 'dismiss': {
      const { runtimeId, reason } = command;
      const retired = [...pool.retired, { id: runtimeId, checkMs: nowMs + dismissedCheckMs }];
      return {
        pool: { ...without(pool, runtimeId), retired },
        events: [{ type: 'pool.dismissed', data: { runtimeId, reason } }],
      };
    }
    case 'lose':
      return lose(pool, command, nowMs);
    default:
      return command satisfies never;
  }
}

/** A new version is a new chance for a pool whose standbys crashed. */
function aim(pool: Pool, wanted: number, templateVersion: number | undefined, nowMs: number): PoolDecision {
  if (pool.wanted === wanted && pool.templateVersion === templateVersion) return { pool, events: [] };
  const isNew = pool.templateVersion !== templateVersion;
  const clean = {
    launchTries: 0,
    crashesMs: [],
    notBeforeMs: undefined,
    statusReason: undefined,
    statusSinceMs: nowMs,
  };
  return {
    pool: { ...pool, wanted, templateVersion, ...(isNew || wanted === 0 ? clean : {}) },
    events: [{ type: 'pool.changed', data: { wanted, templateVersion: templateVersion ?? null } }],
  };
}

function launch(pool: Pool, runtimeId: string): PoolDecision {
  const { templateVersion } = pool;
  if (templateVersion === undefined) throw new Error(`The pool of ${pool.id} has no version to launch from.`);
  return {
    pool: { ...pool, standbys: [...pool.standbys, { id: runtimeId, templateVersion, ready: false }] },
    events: [{ type: 'pool.launching', data: { runtimeId, templateVersion } }],
  };
}

function welcome(pool: Pool, runtimeId: string): PoolDecision {
  const standbys = pool.standbys.map((one) => (one.id === runtimeId ? { ...one, ready: true } : one));
  return {
    pool: { ...pool, standbys, launchTries: 0, statusReason: undefined },
    events: [{ type: 'pool.ready', data: { runtimeId } }],
  };
}

function lose(
  pool: Pool,
  { runtimeId, proof, ours, dead }: Extract<PoolCommand, { type: 'lose' }>,
  nowMs: number,
): PoolDecision {
  const recent = pool.crashesMs.filter((timeMs) => timeMs > nowMs - crashWindowMs);
  const crashesMs = ours ? recent : [...recent, nowMs];
  const isBroken = !ours && crashesMs.length >= crashLimit;
  const launchTries = pool.launchTries + 1;
  const delayMs = isBroken ? brokenMs : Math.min(1000 * 2 ** (launchTries - 1), 300_000);
  const notBeforeMs = Math.max(nowMs + delayMs, pool.notBeforeMs ?? 0);
  const next = `the next launch is at ${new Date(notBeforeMs).toISOString()}`;
  const statusReason = isBroken
    ? `standbys crashed ${crashesMs.length} times in ten minutes, the last one: ${proof}; ${next}, or with a new version`
    : `a standby was lost: ${proof}; ${next}`;
  const retired = dead ? pool.retired : [...pool.retired, { id: runtimeId, checkMs: nowMs }];
  return {
    pool: {
      ...without(pool, runtimeId),
      retired,
      launchTries,
      crashesMs: isBroken ? [] : crashesMs,
      notBeforeMs,
      statusReason,
      statusSinceMs: nowMs,
    },
    events: [
      { type: 'pool.lost', data: { runtimeId, proof } },
      ...(isBroken ? [{ type: 'pool.failed', data: { reason: statusReason } }] : []),
    ],
  };
}

function without(pool: Pool, runtimeId: string): Pool {
  return { ...pool, standbys: pool.standbys.filter((one) => one.id !== runtimeId) };
}

/**
 * What a pool lacks and what it has too many of. Outdated ones go first, then those that have not come up, then the
 * oldest.
 */
export function surplus(
  pool: Pool,
  isOutdated: (standby: Standby) => boolean,
): { runtimeId: string; reason: string }[] {
  const outdated = pool.standbys.filter(isOutdated);
  const current = pool.standbys.filter((one) => !outdated.includes(one));
  const byWorth = [...current.filter((one) => !one.ready).reverse(), ...current.filter((one) => one.ready)];
  const spare = byWorth.slice(0, Math.max(0, current.length - pool.wanted));
  return [
    ...outdated.map(({ id }) => ({ runtimeId: id, reason: 'its template has changed' })),
    ...spare.map(({ id }) => ({ runtimeId: id, reason: `${pool.wanted} standbys are wanted` })),
  ];
}

/** How many standbys to launch now. */
export function shortage(pool: Pool, nowMs: number): number {
  if (pool.notBeforeMs !== undefined && nowMs < pool.notBeforeMs) return 0;
  if (pool.templateVersion === undefined) return 0;
  return Math.max(0, Math.min(launchesPerLook, pool.wanted - pool.standbys.length));
}

/** No event: only another time to look, or the memory of a look. */
export function rearm(pool: Pool, change: Partial<Pick<Pool, 'dueAtMs' | 'retired'>>): PoolDecision {
  return { pool: { ...pool, ...change, version: pool.version + 1 }, events: [] };
}
