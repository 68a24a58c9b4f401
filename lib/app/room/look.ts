import type { Agent } from '../../domain/agent.ts';
import { beginStop } from '../../domain/agent-stop.ts';
import { agentHead, poolHead, roomHead } from '../../domain/head.ts';
import { bySystem, type Cause, commitAgent } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { lastActiveMs } from '../idle.ts';
import { inParallel } from '../in-parallel.ts';
import { Conflict, type Runtime } from '../ports.ts';
import { probe } from '../reconcile/probe.ts';
import { isMinded } from '../runtime-owner.ts';
import { roomLookMs } from './enter.ts';

/** One look starts this many launches at most; each of them that finds room leaves the next to the following look. */
const launchesPerLook = 20;
/** One look reads this many places. While they make room enough the next look reads them again; otherwise those behind them. */
const slotsPerLook = 100;
/** How soon the places behind them are looked at. */
const goOnMs = 1000;
/** Rows that are read beside each other. */
const parallel = 20;

/**
 * Looks at what waits for room among a tenant's runtimes: starts the first in line when there is room, and otherwise
 * makes some: places of dead runtimes are given back, standbys give way, and if the deployment wants it the longest idle
 * agent is paused.
 */
export async function lookAtRoom(deps: Deps, tenant: string, _id: string, cause: string): Promise<void> {
  const { used, dueAtMs, cursor } = await deps.rooms.state(tenant);
  const waiting = await deps.rooms.waiting(tenant, launchesPerLook);
  const free = (deps.config.maxRuntimes ?? Number.POSITIVE_INFINITY) - used;
  for (const { runtimeId, agentId } of waiting.slice(0, Math.max(0, free)))
    await deps.queues.requestLaunch(agentHead(tenant, agentId), runtimeId, String(deps.now()));
  const missing = waiting.length - Math.max(0, free);
  const made = missing > 0 ? await makeRoom(deps, tenant, missing, cursor, bySystem('room', cause)) : undefined;
  const lookMs = waiting.length > 0 ? deps.now() + roomLookMs : undefined;
  await deps.rooms.lookedAt(tenant, dueAtMs, { dueAtMs: lookMs, cursor: made?.next });
  if (made?.goOn) await deps.queues.nudgeAt(roomHead(tenant), deps.now() + goOnMs, deps.now());
}

/** @returns where the next look goes on, and whether it should soon */
async function makeRoom(
  deps: Deps,
  tenant: string,
  missing: number,
  cursor: string | undefined,
  by: Cause,
): Promise<{ next: string | undefined; goOn: boolean }> {
  const slots = await deps.rooms.slots(tenant, slotsPerLook, cursor);
  const rows = new Map(
    (
      await deps.runtimes.getAll(
        tenant,
        slots.map(({ runtimeId }) => runtimeId),
      )
    ).map((runtime) => [runtime.id, runtime]),
  );
  let coming = 0;
  const standbys: Runtime[] = [];
  const agentIds: string[] = [];
  for (const { runtimeId } of slots) {
    const runtime = rows.get(runtimeId);
    if (!runtime || runtime.status === 'ended' || (await isForgotten(deps, runtime))) {
      // It is about to end, or its place was not given back.
      if (!runtime || (await probe(deps, runtime)).state === 'dead') await deps.rooms.leave(tenant, runtimeId);
      coming += 1;
    } else if (runtime.dismissedMs !== undefined) coming += 1;
    else if (runtime.agentId === undefined) standbys.push(runtime);
    else agentIds.push(runtime.agentId);
  }
  for (const standby of standbys) {
    if (coming >= missing) break;
    if (await giveWay(deps, standby)) coming += 1;
  }
  if (deps.config.evictIdle && coming < missing) coming += await evict(deps, tenant, agentIds, missing - coming, by);
  // Enough: those who are about to go are seen again, so that nobody else is sent away for the same place.
  if (coming >= missing) return { next: cursor, goOn: false };
  const next = slots.length < slotsPerLook ? undefined : slots.at(-1)?.runtimeId;
  return { next, goOn: next !== undefined };
}

/** Its launch was refused, and whoever was to give its place back has died. */
async function isForgotten(deps: Deps, runtime: Runtime): Promise<boolean> {
  return runtime.status === 'intended' && runtime.attemptedMs !== undefined && !(await isMinded(deps, runtime));
}

/** False when an agent has just taken it over. */
async function giveWay(deps: Deps, standby: Runtime): Promise<boolean> {
  if (!(await deps.runtimes.dismiss(standby, deps.now()))) return false;
  await deps.queues.ring(standby.id);
  if (standby.pool !== undefined)
    await deps.queues.nudgeAt(poolHead(standby.tenant, standby.pool), deps.now(), deps.now());
  return true;
}

/**
 * Pauses the longest idle agents, as if their idle time were over; what arrives meanwhile wakes them again, behind the
 * others. @returns how many are about to go, with those that were before
 */
async function evict(deps: Deps, tenant: string, agentIds: string[], count: number, by: Cause): Promise<number> {
  const agents = await inParallel(agentIds, parallel, (id) => deps.agents.get(tenant, id, { strong: true }));
  let going = agents.filter((agent) => agent?.status === 'stopping').length;
  const idle = await inParallel(agents, parallel, async (agent) => {
    const idleSinceMs = agent && (await idleSince(deps, agent));
    return agent && idleSinceMs !== undefined ? [{ agent, idleSinceMs }] : [];
  });
  const longest = idle.flat().sort((a, b) => a.idleSinceMs - b.idleSinceMs);
  for (const { agent } of longest.slice(0, Math.max(0, count - going))) {
    try {
      const decision = beginStop(agent, 'paused', false, 'paused to make room for another agent', deps.now());
      await commitAgent(deps, agent, decision, by);
      if (agent.runtimeId) await deps.queues.ring(agent.runtimeId);
      going += 1;
    } catch (error) {
      // It has got something to do.
      if (!(error instanceof Conflict)) throw error;
    }
  }
  return going;
}

/** Since when an agent has had nothing to do, or undefined when it has. */
async function idleSince(deps: Deps, agent: Agent): Promise<number | undefined> {
  const isLeased = agent.activeUntilMs !== undefined && agent.activeUntilMs > deps.now();
  // A shim that has seen an empty queue waits for its bell.
  if (agent.status !== 'running' || !agent.waiting || isLeased) return undefined;
  for await (const tasks of deps.tasks.queue(agent.tenant, agent.id, 1)) {
    if (tasks.length > 0) return undefined;
    break;
  }
  return lastActiveMs(deps, agent);
}
