import type { Agent } from '../domain/agent.ts';
import { holdSpent, usedBy, whySpent } from '../domain/agent-budget.ts';
import { type Amounts, type Budget, mergedBudget } from '../domain/budget.ts';
import { costPerSecond } from '../domain/cost.ts';
import { runtimeReplaced } from '../domain/errors.ts';
import { agentHead } from '../domain/head.ts';
import {
  type CancellingTask,
  claim,
  expire,
  isClaimable,
  isFinished,
  isHeld,
  knownUsage,
  type LiveTask,
  type QueuedTask,
  type RunningTask,
  release,
} from '../domain/task.ts';
import { type Cause, changeAgent, commitTask } from './commit.ts';
import type { Deps } from './deps.ts';
import { Conflict, type TaskRecord } from './ports.ts';
import { settingsOf } from './settings.ts';

/** The runtime that a token speaks for. */
export interface RuntimeIdentity {
  tenant: string;
  agentId: string;
  id: string;
}

export interface ClaimedTask {
  task: RunningTask;
  record: TaskRecord;
}

/** What a shim is to do next. */
export interface Instructions {
  tasks: ClaimedTask[];
  cancel: { taskId: string; fence: number; force: boolean }[];
  stop: { reason: string; force: boolean } | null;
  nextDueMs: number | undefined;
  /** Until when activity leases keep the agent from idling. */
  activeUntilMs: number | undefined;
  /** The agent's budget, if it has one, and what attempts that have ended used of it. */
  budget?: { limits: Budget; used: Amounts } | undefined;
}

/** A lease that ends is noticed this much later: a heartbeat may be on its way. */
export const leaseSlackMs = 60_000;

/** Live rows of one page; a claim seldom needs more than its first. */
const pageSize = 50;
/** A claim reads this many live rows at most; the shim comes again. */
const rowsPerClaim = 1000;

/** What a caller knows already. */
export interface Known {
  agent?: Agent;
  /** A task that the caller is settling itself. */
  settling?: string;
  /** What the shim says that it runs. A task that it holds and does not know of was in an answer that got lost. */
  running?: readonly { taskId: string; fence: number }[];
  /** How much the runtime can run at once, when the call is a repetition: what its lost answer brought is held already. */
  repeatedWith?: { concurrency: number } | undefined;
}

interface View {
  /** Held by this runtime, as the table has it. */
  held: RunningTask[];
  claimable: QueuedTask[];
  more: boolean;
  cancelling: CancellingTask[];
  nextDueMs: number | undefined;
}

/** No answer is under way for so long: what a shim does not know of by then, it will never run. */
const answerMs = 60_000;

/** Gives a runtime as many tasks as it has slots for, in the order of the queue. */
export async function claimTasks(
  deps: Deps,
  me: RuntimeIdentity,
  slots: number,
  by: Cause,
  known: Known = {},
): Promise<Instructions> {
  // Read beside each other, for speed: what was claimed is given back if the head, read once more, forbids it.
  const [agent, first] = await Promise.all([known.agent ?? enrolledAgent(deps, me), look(deps, me, slots, by, known)]);
  let view = first;
  if (agent.status === 'stopping') return stopOf(agent, cancelsOf(view));
  if (slots > 0 && view.claimable.length === 0 && !agent.waiting) {
    // Said before the last look: who submits from now on will see it, and ring.
    await deps.agents.setWaiting(agent, true);
    view = await look(deps, me, slots, by, known);
  }
  await endUnknown(deps, view, known, by);
  const { lost, free } = untold(view.held, slots, known);
  const claimed: ClaimedTask[] = [];
  const settings = await settingsOf(deps, agent);
  const budget = mergedBudget(settings.budget);
  const hasWork = view.claimable.length > 0 || view.more || view.held.length > 0;
  if (budget && hasWork && whySpent(agent, budget, usagesOf(view.held, deps.now()))) {
    const held = await holdSpentAgent(deps, me, by);
    if (held.status !== 'running') return stopOf(held, cancelsOf(view));
  }
  const { usdPerSecond = costPerSecond(settings, settings.concurrency) } = agent;
  const terms = { usdPerSecond, charged: budget && (true as const) };
  for (const task of view.claimable.slice(0, free)) {
    const won = await tryClaim(deps, task, me, terms, by);
    if (won) claimed.push(won);
  }
  const { kept, now } =
    claimed.length > 0 ? await confirm(deps, me, claimed, view.more, budget, by) : { kept: claimed, now: agent };
  if (now.status !== 'running') return stopOf(now, cancelsOf(view));
  const tasks = await Promise.all(lost.map(async (task) => ({ task, record: await recordOf(deps, task) })));
  const { nextDueMs } = view;
  const { activeUntilMs } = agent;
  return {
    tasks: [...tasks, ...kept],
    cancel: cancelsOf(view),
    stop: null,
    nextDueMs,
    activeUntilMs,
    budget: budget && { limits: budget, used: usedBy(now) },
  };
}

function cancelsOf(view: View): Instructions['cancel'] {
  return view.cancelling.map((task) => ({ taskId: task.id, fence: task.attempt, force: task.force ?? false }));
}

/** A task that is being cancelled and whose claim never reached the shim runs nowhere: nobody else could say so. */
async function endUnknown(deps: Deps, view: View, { running }: Known, by: Cause): Promise<void> {
  if (!running) return;
  const nowMs = deps.now();
  for (const task of view.cancelling) {
    const known = running.some((one) => one.taskId === task.id && one.fence === task.attempt);
    if (known || nowMs - task.startedMs < answerMs) continue;
    await handBack(deps, task, by, 'its runtime never heard of it');
    view.cancelling = view.cancelling.filter((other) => other !== task);
  }
}

/**
 * The tasks that a runtime holds and perhaps does not know of, and the slots that are left beside them. The shim
 * remembers the fences that it has seen, so one that it runs, or is just finishing, is not run again.
 */
function untold(held: RunningTask[], slots: number, { running, repeatedWith }: Known) {
  if (slots === 0) return { lost: [], free: 0 };
  if (repeatedWith) return { lost: held, free: Math.max(0, Math.min(slots, repeatedWith.concurrency - held.length)) };
  const knows = (task: RunningTask) =>
    running?.some((one) => one.taskId === task.id && one.fence === task.attempt) ?? true;
  const lost = held.filter((task) => !knows(task)).slice(0, slots);
  return { lost, free: slots - lost.length };
}

/** After its claims a runtime looks once more whether it may still go on; if not, it hands back what it has claimed. */
async function confirm(
  deps: Deps,
  me: RuntimeIdentity,
  claimed: ClaimedTask[],
  more: boolean,
  budget: Budget | undefined,
  by: Cause,
): Promise<{ kept: ClaimedTask[]; now: Agent }> {
  const agent = await deps.agents.get(me.tenant, me.agentId, { strong: true });
  // An attempt that ended beside this call may have used up what was left.
  const spent = agent && whySpent(agent, budget);
  if (agent?.runtimeId !== me.id || agent.status !== 'running' || spent) {
    for (const { task } of claimed) await handBack(deps, task, by, spent);
    if (agent?.runtimeId !== me.id) throw runtimeReplaced(me.id);
    return { kept: [], now: spent ? await holdSpentAgent(deps, me, by) : agent };
  }
  // With more work waiting than it can take, nobody needs to ring for the next.
  if (agent.waiting && more) await deps.agents.setWaiting(agent, false);
  if (agent.activeSinceMs !== undefined) await deps.agents.restartActivity(agent);
  const leaseEndsMs = Math.min(...claimed.map(({ task }) => task.leaseUntilMs)) + leaseSlackMs;
  if (agent.dueAtMs === undefined || leaseEndsMs < agent.dueAtMs)
    await deps.due.lower(agentHead(me.tenant, me.agentId), leaseEndsMs);
  return { kept: claimed, now: agent };
}

/** @throws RouseError runtime_replaced */
export async function enrolledAgent(deps: Deps, me: RuntimeIdentity): Promise<Agent> {
  const agent = await deps.agents.get(me.tenant, me.agentId, { strong: true });
  if (agent?.runtimeId !== me.id || (agent.status !== 'running' && agent.status !== 'stopping'))
    throw runtimeReplaced(me.id);
  return agent;
}

function stopOf(agent: Agent, cancel: Instructions['cancel']): Instructions {
  const stop = { reason: agent.statusReason ?? 'stop requested', force: agent.forced ?? false };
  return { tasks: [], cancel, stop, nextDueMs: undefined, activeUntilMs: undefined };
}

/** Reads the queue until the slots are filled or its end is reached, and finishes what others have left. */
async function look(deps: Deps, me: RuntimeIdentity, slots: number, by: Cause, known: Known): Promise<View> {
  const nowMs = deps.now();
  const view: View = { held: [], claimable: [], more: false, cancelling: [], nextDueMs: undefined };
  let rows = 0;
  for await (const tasks of deps.tasks.queue(me.tenant, me.agentId, pageSize)) {
    for (const task of tasks) {
      // Its end may be seen here before or after its caller has settled it.
      if (task.id === known.settling && isFinished(task)) continue;
      await sort(deps, task, view, slots, nowMs, me, by);
    }
    rows += tasks.length;
    if (rows >= rowsPerClaim || view.more) break;
  }
  return view;
}

async function sort(
  deps: Deps,
  task: LiveTask,
  view: View,
  slots: number,
  nowMs: number,
  me: RuntimeIdentity,
  by: Cause,
): Promise<void> {
  if (isFinished(task)) return deps.tasks.settle(task);
  if (isHeld(task)) {
    if (task.runtimeId !== me.id) return;
    if (task.status === 'cancelling') view.cancelling.push(task);
    else view.held.push(task);
  } else if (task.expiresMs !== undefined && task.expiresMs <= nowMs) await expireTask(deps, task, by);
  else if (!isClaimable(task, nowMs))
    view.nextDueMs = Math.min(view.nextDueMs ?? Number.POSITIVE_INFINITY, task.notBeforeMs);
  else if (view.claimable.length < slots) view.claimable.push(task);
  else view.more = true;
}

/** Ends a task whose time to start is over. Losing the race means that somebody else dealt with it. */
export async function expireTask(deps: Deps, task: QueuedTask, by: Cause): Promise<void> {
  try {
    await deps.tasks.settle(await commitTask(deps, task, expire(task, deps.now()), by));
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
  }
}

/**
 * Decided on what is there now: somebody may just have given it more. The head is read before the queue, so that an
 * attempt that ends in between is counted late, and not twice.
 */
async function holdSpentAgent(deps: Deps, me: RuntimeIdentity, by: Cause): Promise<Agent> {
  return changeAgent(deps, me.tenant, me.agentId, by, async (agent) => {
    if (agent.runtimeId !== me.id) throw runtimeReplaced(me.id);
    const { budget } = await settingsOf(deps, agent);
    const { held } = await look(deps, me, 0, by, {});
    const spent = whySpent(agent, budget, usagesOf(held, deps.now()));
    return spent && agent.status === 'running' ? holdSpent(agent, spent, deps.now()) : { agent, events: [] };
  });
}

const usagesOf = (held: RunningTask[], nowMs: number) => held.map((task) => knownUsage(task, nowMs));

async function tryClaim(
  deps: Deps,
  task: QueuedTask,
  me: RuntimeIdentity,
  terms: Parameters<typeof claim>[3],
  by: Cause,
): Promise<ClaimedTask | undefined> {
  const record = await recordOf(deps, task);
  // A submission that was repeated late may put back the row of a task that has ended; it must not run again.
  if (record.status !== undefined) {
    await deps.tasks.forget(task);
    return undefined;
  }
  try {
    return { task: await commitTask(deps, task, claim(task, me.id, deps.now(), terms), by), record };
  } catch (error) {
    if (error instanceof Conflict) return undefined;
    throw error;
  }
}

async function recordOf(deps: Deps, task: LiveTask): Promise<TaskRecord> {
  const record = await deps.tasks.record(task.tenant, task.id);
  if (!record) throw new Error(`Task ${task.id} has a live row and no record.`);
  return record;
}

/** Gives a task back to the queue, unless somebody has changed it. */
export async function handBack(deps: Deps, task: LiveTask, by: Cause, reason = 'the agent is stopping'): Promise<void> {
  if (!isHeld(task)) return;
  try {
    const nowMs = deps.now();
    const after = await commitTask(deps, task, release(task, reason, nowMs, knownUsage(task, nowMs)), by);
    if (isFinished(after)) await deps.tasks.settle(after);
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
  }
}
