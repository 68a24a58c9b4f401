import type { Item } from '../../lib/aws/table.ts';
import type { Agent, AgentStatus } from '../../lib/domain/agent.ts';
import { finalStatuses, type LiveTask, type TaskStatus } from '../../lib/domain/task.ts';
import type { World } from './world.ts';

/** What the checks of a write look up besides the row itself. */
interface Rows {
  agents: ReadonlyMap<string, Agent>;
  records: ReadonlyMap<string, Item>;
}

/** The statuses that may follow one. A status that stays is no transition. */
const agentFollows: Record<AgentStatus, readonly AgentStatus[]> = {
  paused: ['starting', 'archived', 'error', 'terminated'],
  starting: ['running', 'paused', 'error', 'terminated'],
  running: ['stopping', 'paused', 'error'],
  stopping: ['running', 'paused', 'error', 'terminated'],
  archived: ['paused', 'terminated'],
  error: ['paused', 'archived', 'terminated'],
  terminated: [],
};

const taskFollows: Record<TaskStatus, readonly TaskStatus[]> = {
  queued: ['running', 'cancelled', 'expired'],
  running: ['queued', 'cancelling', 'succeeded', 'failed', 'timed_out'],
  cancelling: ['succeeded', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
  timed_out: [],
  expired: [],
};

/** Invariants 3 and 7 in one write of a head. */
export function checkHead(world: World, before: Agent | undefined, after: Agent | undefined): void {
  if (!after) {
    world.fail('The head of an agent was deleted.', before!.id);
    return;
  }
  const { id } = after;
  if (!before) {
    if (after.version !== 1) world.fail(`${id} begins with version ${after.version}.`, id);
    return;
  }
  const step = after.version - before.version;
  if (step !== 0 && step !== 1) world.fail(`The version of ${id} went from ${before.version} to ${after.version}.`, id);
  if (before.status !== after.status) {
    if (step !== 1) world.fail(`${id} became ${after.status} without a new version.`, id);
    if (!agentFollows[before.status].includes(after.status))
      world.fail(`${id} went from ${before.status} to ${after.status}, which no transition does.`, id);
  }
  if (before.runtimeId === undefined || before.runtimeId === after.runtimeId) return;
  if (after.runtimeId !== undefined)
    world.fail(`${id} got ${after.runtimeId} while it still had ${before.runtimeId}.`, id);
  const wasEnrolled = before.status === 'running' || before.status === 'stopping';
  const isKept = after.retired.some((runtime) => runtime.id === before.runtimeId);
  if (wasEnrolled && !isKept && world.stack.fleet.byRuntime.get(before.runtimeId)?.alive)
    world.fail(`${id} forgot ${before.runtimeId}, whose container still runs.`, id);
}

/** Invariants 1, 2, 6 and 7 in one write of a live row. */
export function checkLive(
  world: World,
  before: LiveTask | undefined,
  after: LiveTask | undefined,
  { agents, records }: Rows,
): void {
  const { id } = (after ?? before)!;
  if (!after) {
    // Only what has ended may lose its row.
    if (!isFinal(before!.status) && !isFinal(records.get(id)?.status))
      world.fail(`The live row of ${id} was removed while it was ${before!.status}.`, id);
    return;
  }
  if (!before) {
    if (after.status !== 'queued' || after.attempt !== 0 || after.version !== 1)
      world.fail(`${id} begins as ${after.status} with version ${after.version}.`, id);
    return;
  }
  // A cancel that is asked for again, now without grace.
  const isForced = before.status === 'cancelling' && after.status === 'cancelling' && !before.force && after.force;
  if (before.status === after.status && !isForced) {
    if (before.version !== after.version) world.fail(`${id} has a new version and is still ${after.status}.`, id);
    return;
  }
  if (after.version !== before.version + 1)
    world.fail(`The version of ${id} went from ${before.version} to ${after.version}.`, id);
  if (isForced) return;
  if (!taskFollows[before.status].includes(after.status))
    world.fail(`${id} went from ${before.status} to ${after.status}, which no transition does.`, id);
  if (after.attempt !== before.attempt + (after.status === 'running' ? 1 : 0))
    world.fail(`The fence of ${id} went from ${before.attempt} to ${after.attempt} as it became ${after.status}.`, id);
  if (after.status === 'running' && isFinal(records.get(id)?.status))
    world.fail(`${id} was started again after it had ended.`, id);
  if (after.status === 'running' && !agents.has(after.agentId)) world.fail(`${id} runs for an unknown agent.`, id);
  checkNothingRuns(world, before, after);
}

/** Once a task is back in its queue, or cancelled, nothing of the attempt may run: the shims know the truth. */
function checkNothingRuns(world: World, before: LiveTask, after: LiveTask): void {
  if (after.status !== 'queued' && after.status !== 'cancelled') return;
  if (!('runtimeId' in before) || before.runtimeId === undefined) return;
  const { id, attempt } = before;
  const runner = world.stack.fleet.byRuntime.get(before.runtimeId);
  if (runner?.running.get(id)?.task.fence === attempt)
    world.fail(`${id} became ${after.status} while ${runner.runtimeId} runs its attempt ${attempt}.`, id);
}

/** Invariant 1: an end is an end. */
export function checkRecord(world: World, before: Item | undefined, after: Item | undefined): void {
  const id = String((after ?? before)!.id);
  if (!after) {
    world.fail(`The record of ${id} was deleted.`, id);
    return;
  }
  if (!before || before.status === undefined) return;
  for (const name of ['status', 'finalVersion', 'output', 'outputKey', 'error', 'finishedMs', 'attempt'])
    if (JSON.stringify(before[name]) !== JSON.stringify(after[name]))
      world.fail(`${id} had ended as ${before.status}, and then its ${name} was changed.`, id);
}

export function isFinal(status: unknown): boolean {
  return (finalStatuses as readonly unknown[]).includes(status);
}
