import { newFleet, reconciled, walks } from '../domain/fleet.ts';
import { agentHead } from '../domain/head.ts';
import { timeOf } from '../domain/id.ts';
import type { LiveTask } from '../domain/task.ts';
import { bySystem, carry } from './commit.ts';
import type { Deps } from './deps.ts';
import { inParallel } from './in-parallel.ts';
import { removeLeftovers } from './leftover-objects.ts';
import { Conflict, type RunningTask } from './ports.ts';
import { countAgents, countRuntime } from './recount.ts';
import { isMinded } from './runtime-owner.ts';

/** The tenant whose log tells what was found: of an ECS task of nobody it is not known whose it was. */
const homeTenant = 'default';
/** Pages of each list that one look reads; the next look goes on from there. */
const pagesPerLook = 10;
/** What is younger is still being made, or noticed by the usual ways. */
const settledMs = 300_000;
const openPerPage = 200;
/** Heads and rows that are read beside each other: a look has dispatch's ten seconds for thousands. */
const parallel = 20;
const parallelStops = 10;

/** Makes the fleet's head unless it is there. */
export async function ensureFleet(deps: Deps): Promise<void> {
  await deps.fleet.create(newFleet(homeTenant, deps.now()));
}

/**
 * Compares in both directions what there is with what should be, a bounded piece at a time: ECS tasks that belong to no
 * runtime, bells of dead runtimes, work that nobody would look at, files of no generation. What can't be looked up fails
 * the look, and nothing is concluded from it.
 */
export async function reconcileFleet(deps: Deps, tenant: string, _id: string, cause: string): Promise<void> {
  const fleet = await deps.fleet.get(tenant);
  if (!fleet || fleet.dueAtMs > deps.now()) return;
  const [ecs, bells, work, objects, agents] = await Promise.all([
    lookAtTasks(deps, fleet.cursors.tasks, Object.keys(fleet.suspects)),
    lookAtBells(deps, tenant, fleet.cursors.bells),
    lookForWork(deps, tenant, fleet.cursors.work),
    walks(fleet, deps.now()) ? removeLeftovers(deps, tenant, fleet.cursors.objects) : { removed: [], next: undefined },
    countAgents(deps, tenant, fleet),
  ]);
  const findings = {
    ...ecs,
    bells: bells.removed,
    forgotten: work.forgotten,
    objects: objects.removed,
    cursors: { tasks: ecs.next, bells: bells.next, work: work.next, objects: objects.next, agents: agents.next },
    counted: agents.counted,
  };
  const { fleet: after, events, stop } = reconciled(fleet, findings, deps.now());
  try {
    await deps.fleet.commit(fleet, after, carry(deps, events, bySystem('fleet', cause)));
  } catch (error) {
    if (error instanceof Conflict) return;
    throw error;
  }
  for (const { type, data } of events) deps.log.warn('the fleet was put right', { type, ...data });
  await inParallel(stop, parallelStops, (taskArn) => deps.runner.stop(taskArn, 'Rouse: it belongs to no runtime'));
}

async function lookAtTasks(deps: Deps, cursor: string | undefined, suspects: string[]) {
  const again = suspects.length > 0 ? await deps.runner.running(suspects) : [];
  const tasks = new Map(again.map((task) => [task.taskArn, task]));
  let next = cursor;
  for (let page = 0; page < pagesPerLook; page++) {
    const found = await deps.runner.list(next);
    for (const task of found.items) tasks.set(task.taskArn, task);
    next = found.next;
    if (next === undefined) break;
  }
  const owned = await inParallel([...tasks.values()], parallel, (task) => hasOwner(deps, task));
  const orphans = [...tasks.values()].filter((_, i) => !owned[i]);
  return { orphans, remaining: again.map((task) => task.taskArn), next };
}

/** Read after the task was seen: a runtime is in the head of its agent or pool before it is launched. */
async function hasOwner(deps: Deps, { runtime, isOfService, startedMs }: RunningTask): Promise<boolean> {
  // What a service started, it would start again.
  if (isOfService || startedMs > deps.now() - settledMs) return true;
  if (!runtime) return false;
  const row = await deps.runtimes.get(runtime.tenant, runtime.runtimeId);
  if (row === undefined || !(await isMinded(deps, row))) return false;
  await countRuntime(deps, row);
  return true;
}

/** A dead runtime needs no bell. */
async function lookAtBells(deps: Deps, tenant: string, cursor: string | undefined) {
  const { items, next } = await deps.queues.bells(cursor);
  const removed = await inParallel(items, parallel, async (runtimeId) => {
    if (timeOf(runtimeId) > deps.now() - settledMs) return [];
    const runtime = await deps.runtimes.get(tenant, runtimeId);
    if (runtime && runtime.status !== 'ended') return [];
    await deps.queues.deleteBell(runtimeId);
    return [runtimeId];
  });
  return { removed: removed.flat(), next };
}

/** Unfinished tasks of agents that nobody would look at: every message about them got lost. */
async function lookForWork(deps: Deps, tenant: string, cursor: string | undefined) {
  const tasks: LiveTask[] = [];
  let next = cursor;
  for (let page = 0; page < pagesPerLook; page++) {
    const found = await deps.tasks.pageOfOpen(tenant, openPerPage, next);
    tasks.push(...found.items.filter(({ createdMs }) => createdMs <= deps.now() - settledMs));
    next = found.next;
    if (next === undefined) break;
  }
  const byAgent = [...Map.groupBy(tasks, ({ agentId }) => agentId)];
  const forgotten = await inParallel(byAgent, parallel, async ([agentId, waiting]) => {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    if (!agent || agent.dueAtMs !== undefined) return [];
    // An agent that does not wake has nothing to look at but what expires.
    const sleeps = agent.held || agent.status === 'archived' || agent.status === 'error';
    if (sleeps && waiting.every(({ expiresMs }) => expiresMs === undefined)) return [];
    const head = agentHead(tenant, agentId);
    await deps.due.lower(head, deps.now());
    return [head];
  });
  return { forgotten: forgotten.flat(), next };
}
