import type { TaskRecord } from '../../lib/app/ports.ts';
import { TaskStore } from '../../lib/aws/task-store.ts';
import { idOf } from '../../lib/domain/id.ts';
import { claim, type LiveTask, type Outcome, succeed } from '../../lib/domain/task.ts';
import { agentId, anEvent, aTask, nowMs, runtimeId, ulid } from '../support/builders.ts';
import { makeTables } from './tables.ts';

export const tenant = 'default';

/** A store of tasks in an empty table, and what its tests do with it. */
export async function setUp() {
  const { state: table, environment } = await makeTables();
  const clock = { nowMs };
  const tasks = new TaskStore(table, () => clock.nowMs);
  const submit = (live: LiveTask, differs: Partial<TaskRecord> = {}) =>
    tasks.submit(recordOf(live, differs), live, [anEvent('task.queued')]);
  const live = (task: LiveTask) => tasks.live(tenant, task.agentId, task.place, task.id);
  const queue = async (agent = agentId, limit?: number) => {
    const pages: string[][] = [];
    for await (const page of tasks.queue(tenant, agent, limit)) pages.push(page.map((task) => task.id));
    return pages;
  };
  /** A task that was submitted and claimed. */
  const running = async () => {
    const queued = aTask('queued');
    await submit(queued);
    const { task } = claim(queued, runtimeId, nowMs);
    await tasks.commit(queued, task, [anEvent('task.started')]);
    return task;
  };
  /** A running task that ended with this outcome, and is not settled. */
  const finished = async (outcome: Outcome = { output: 'done' }) => {
    const task = await running();
    const after = succeed(task, outcome, nowMs + 1000).task;
    await tasks.commit(task, after, [anEvent('task.succeeded')]);
    return after;
  };
  return { table, environment, clock, tasks, submit, live, queue, running, finished };
}

export function recordOf(live: LiveTask, differs: Partial<TaskRecord> = {}): TaskRecord {
  const { id, agentId, tenant, place, maxAttempts, timeoutSeconds, createdMs } = live;
  const expects = { type: 'text' as const };
  return {
    id,
    agentId,
    tenant,
    place,
    priority: 0,
    input: 'go',
    expects,
    maxAttempts,
    timeoutSeconds,
    createdMs,
    ...differs,
  };
}

export const numbered = (number: number, differs: Partial<LiveTask> = {}) =>
  aTask('queued', { id: idOf('task', ulid(number), agentId), place: nowMs + number, ...differs });
