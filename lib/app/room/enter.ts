import { rearm } from '../../domain/agent-transition.ts';
import { type HeadRef, roomHead } from '../../domain/head.ts';
import { type Cause, commitAgent, retried } from '../commit.ts';
import type { Deps } from '../deps.ts';
import type { Runtime } from '../ports.ts';

/** The room is looked at this often while anybody waits, in case that a nudge got lost. */
export const roomLookMs = 60_000;
/** An agent that waits for room asks again after this, in case that its place in line got lost. */
export const lineCheckMs = 900_000;

/**
 * Takes a place among the runtimes that the tenant may have at once. Nobody overtakes: one for whom there is no place, or
 * before whom others wait, waits behind them; a standby does not wait, and comes again later.
 * @returns undefined when it has a place, or why it has none
 */
export async function enterRoom(deps: Deps, runtime: Runtime): Promise<string | undefined> {
  const { tenant, id, agentId, pool } = runtime;
  const limit = deps.config.maxRuntimes;
  if (limit === undefined) {
    await leaveLine(deps, runtime);
    return undefined;
  }
  const { used } = await deps.rooms.state(tenant);
  const free = Math.max(0, limit - used);
  // Read after the count: who has come in meanwhile waits no more.
  const first = await deps.rooms.waiting(tenant, Math.max(1, free));
  const isNext = agentId !== undefined && first.slice(0, free).some(({ runtimeId }) => runtimeId === id);
  const isOpen = agentId === undefined ? first.length === 0 : first.length < free;
  const slot = { runtimeId: id, ...(agentId === undefined ? { pool } : { agentId }) };
  if ((isNext || isOpen) && (await deps.rooms.enter(tenant, slot, limit))) return undefined;
  // Whoever died after taking its place has it still.
  if (await deps.rooms.has(tenant, id)) return undefined;
  return `waiting for room: ${Math.min(limit, used)} of ${limit} runtimes of this tenant run`;
}

/** Stands in line; the head says so. */
export async function waitForRoom(
  deps: Deps,
  runtime: Runtime,
  agentId: string,
  statusReason: string,
  by: Cause,
): Promise<void> {
  const { tenant, id } = runtime;
  await deps.rooms.wait(tenant, id, agentId, deps.now() + roomLookMs);
  await deps.runtimes.setWaiting(runtime, deps.now());
  await retried(async () => {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    if (agent?.runtimeId !== id || agent.status !== 'starting' || agent.statusReason === statusReason) return;
    await commitAgent(deps, agent, rearm(agent, { statusReason, dueAtMs: deps.now() + lineCheckMs }), by);
  });
  // Standbys may give way, or an idle agent; and a place may have become free a moment ago.
  await deps.queues.nudgeAt(roomHead(tenant), deps.now(), deps.now());
}

/** Whoever is launched, or is no more, may still stand in a line that it joined before the limit was lifted. */
export async function leaveLine(deps: Deps, { tenant, id, waitingMs }: Runtime): Promise<void> {
  if (waitingMs !== undefined) await deps.rooms.stopWaiting(tenant, id);
}

/**
 * A runtime is dead, or was never launched: its place is free, and whoever waits the longest is told by way of the room.
 * Without a limit there may be places from when there was one, until the last of them is given back.
 */
export async function leaveRoom(
  deps: Deps,
  tenant: string,
  runtimeId: string,
  nudge: (room: HeadRef) => Promise<void>,
): Promise<void> {
  if (deps.config.maxRuntimes === undefined) {
    const { used, dueAtMs } = await deps.rooms.state(tenant);
    if (used === 0 && dueAtMs === undefined) return;
  }
  if (await deps.rooms.leave(tenant, runtimeId)) await nudge(roomHead(tenant));
}
