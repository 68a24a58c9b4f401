import type { Agent } from '../domain/agent.ts';
import { type Budget, mergedBudget, tighter } from '../domain/budget.ts';
import { illegalTransition, invalid, notFound, RouseError, tooLarge } from '../domain/errors.ts';
import { agentHead } from '../domain/head.ts';
import { idOf, isId, timeOf } from '../domain/id.ts';
import type { Message } from '../domain/message.ts';
import { inputObject, uploadObject } from '../domain/object-key.ts';
import type { Parent } from '../domain/parent.ts';
import {
  finalStatuses,
  forceCancel,
  isFinished,
  isHeld,
  type LiveTask,
  placeOf,
  requestCancel,
  submit,
  type TaskStatus,
} from '../domain/task.ts';
import { filteredPage, requireTakesWork } from './agents.ts';
import { type Cause, carry, commitTask, existingAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import { Conflict, type Import, type Page, type TaskRecord } from './ports.ts';
import { settingsOf } from './settings.ts';

/** What is larger lives in the bucket (design: task records). */
export const maxInlineBytes = 65_536;
export const maxUploadBytes = 100 * 1024 * 1024;

export interface SubmitTask {
  input: unknown;
  output: TaskRecord['expects'];
  priority: number;
  notBeforeMs?: number | undefined;
  expiresInSeconds?: number | undefined;
  timeoutSeconds?: number | undefined;
  maxAttempts?: number | undefined;
  budget?: Budget | undefined;
  /** Its agent was made for it and ends with it: nobody would give such a one more, so the task may use no more either. */
  isOnlyTask?: boolean | undefined;
  onBusy: 'enqueue' | 'reject';
  metadata: Record<string, unknown>;
  retryOf?: string | undefined;
  parent?: Parent | undefined;
  /** It comes as a message. */
  message?: Message | undefined;
  /** Whether a paused agent starts for it. @default true */
  wakes?: boolean | undefined;
  exports?: string[] | undefined;
  imports?: Import[] | undefined;
}

/** A task as it is known: its record, and its live row while it is unfinished. */
export interface KnownTask {
  record: TaskRecord;
  live?: LiveTask | undefined;
}

/** Accepts a task: record, live row, and only then a look at whether somebody has to be told. */
export async function submitTask(
  deps: Deps,
  tenant: string,
  agentId: string,
  seed: string,
  command: SubmitTask,
  by: Cause,
): Promise<KnownTask> {
  const agent = await deps.agents
    .get(tenant, agentId, { strong: false })
    .then((found) => found ?? existingAgent(deps, tenant, agentId));
  requireTakesWork(agent);
  const id = idOf('task', seed, agentId);
  if (command.onBusy === 'reject') await refuseBusy(deps, tenant, agentId, id);
  const settings = await settingsOf(deps, agent);
  const budget = mergedBudget(settings.task.budget, command.budget);
  // Not the clock: a replay must find the live row at the place that the first try gave it.
  const createdMs = timeOf(id);
  const notBeforeMs = command.notBeforeMs ?? createdMs;
  const record: TaskRecord = {
    id,
    agentId,
    tenant,
    place: placeOf(Math.max(createdMs, notBeforeMs), command.priority),
    priority: command.priority,
    ...(await placeInput(deps, tenant, id, command.input)),
    expects: command.output,
    metadata: command.metadata,
    maxAttempts: command.maxAttempts ?? settings.task.maxAttempts,
    timeoutSeconds: command.timeoutSeconds ?? settings.task.timeoutSeconds,
    budget: command.isOnlyTask ? tighter(budget, mergedBudget(settings.budget)) : budget,
    createdMs,
    retryOf: command.retryOf,
    parent: command.parent,
    message: command.message,
    exports: command.exports,
    imports: command.imports,
  };
  const queued = {
    id,
    agentId,
    tenant,
    place: record.place,
    maxAttempts: record.maxAttempts,
    timeoutSeconds: record.timeoutSeconds,
    budget: record.budget,
    leaseSeconds: settings.task.heartbeatSeconds,
    createdMs,
    notBeforeMs,
    expiresMs: command.expiresInSeconds === undefined ? undefined : createdMs + command.expiresInSeconds * 1000,
    parent: command.parent,
    wakes: command.wakes === false ? (false as const) : undefined,
  };
  const { task, events } = submit(queued, command.message);
  await deps.tasks.submit(record, task, carry(deps, events, by));
  await ringIfWaiting(deps, agent);
  return { record, live: task };
}

/**
 * Read after the live row is written: a shim that saw an empty queue has said so before its last look, and an agent
 * that is about to pause looks after it has said so. Anyone else is told by the stream.
 */
async function ringIfWaiting(deps: Deps, before: Agent): Promise<void> {
  const { tenant, id } = before;
  // The usual case is told without waiting for the look; a ring too many is harmless.
  const early = isWaiting(before) ? before.runtimeId : undefined;
  const [agent] = await Promise.all([
    deps.agents.get(tenant, id, { strong: true }),
    early === undefined ? undefined : deps.queues.ring(early),
  ]);
  if (agent && isWaiting(agent) && agent.runtimeId !== early) await deps.queues.ring(agent.runtimeId);
  // It was terminated meanwhile: reconcile ends the task like the others.
  if (agent?.status === 'terminated') await deps.queues.nudge([{ tenant, kind: 'agent', id }]);
}

function isWaiting(agent: Agent): agent is Agent & { runtimeId: string } {
  return agent.status === 'running' && agent.waiting && agent.runtimeId !== undefined;
}

async function refuseBusy(deps: Deps, tenant: string, agentId: string, ownId: string): Promise<void> {
  for await (const tasks of deps.tasks.queue(tenant, agentId)) {
    const other = tasks.find((task) => task.id !== ownId && !isFinished(task));
    if (!other) continue;
    const detail = `The agent has unfinished tasks (${other.id} is ${other.status}) and onBusy is "reject".`;
    throw new RouseError('agent_busy', detail, { extra: { taskId: other.id } });
  }
}

async function placeInput(
  deps: Deps,
  tenant: string,
  taskId: string,
  input: unknown,
): Promise<Pick<TaskRecord, 'input' | 'inputKey'>> {
  const ref = refOf(input);
  if (ref !== undefined) {
    const inputKey = uploadObject(tenant, ref);
    const object = isId('upload', ref) ? await deps.objects.head(inputKey) : undefined;
    if (!object)
      throw invalid(
        'input.$ref',
        `Received "${ref}"; nothing was uploaded under it. PUT the bytes to the upload's url first.`,
      );
    if (object.bytes > maxUploadBytes) throw tooLarge('The upload', object.bytes, maxUploadBytes);
    return { inputKey };
  }
  const text = JSON.stringify(input);
  if (Buffer.byteLength(text) <= maxInlineBytes) return { input };
  const inputKey = inputObject(tenant, taskId);
  if (typeof input === 'string') await deps.objects.put(inputKey, input, 'text/plain; charset=utf-8');
  else await deps.objects.put(inputKey, text, 'application/json');
  return { inputKey };
}

function refOf(input: unknown): string | undefined {
  return typeof input === 'object' && input !== null && '$ref' in input ? String(input.$ref) : undefined;
}

/** @throws RouseError not_found */
export async function getTask(deps: Deps, tenant: string, taskId: string): Promise<KnownTask> {
  const record = await deps.tasks.record(tenant, taskId);
  if (!record) throw notFound('task', taskId);
  if (record.status) return { record };
  const live = await deps.tasks.live(tenant, record.agentId, record.place, taskId);
  if (live && !isFinished(live)) return { record, live };
  // Committed, and not yet written to its record, or just now: whoever finds that finishes it.
  if (live) await deps.tasks.settle(live);
  const settled = await deps.tasks.record(tenant, taskId);
  // Without a live row and without an end it was never accepted: its submission was cut off.
  if (!settled?.status) throw notFound('task', taskId);
  return { record: settled };
}

/** Cancels at once what has not started; what runs is cancelled when there is proof that nothing of it runs. */
export async function cancelTask(
  deps: Deps,
  tenant: string,
  taskId: string,
  by: Cause,
  options: { force: boolean } = { force: false },
): Promise<KnownTask> {
  const { force } = options;
  return retried(async () => {
    const known = await getTask(deps, tenant, taskId);
    const { live } = known;
    if (!live) {
      if (known.record.status === 'cancelled') return known;
      throw illegalTransition('task', taskId, known.record.status ?? 'finished', 'cancel', ['queued', 'running']);
    }
    if (isFinished(live) || (live.status === 'cancelling' && (live.force || !force))) return known;
    const nowMs = deps.now();
    const decision = live.status === 'cancelling' ? forceCancel(live, nowMs) : requestCancel(live, nowMs, force);
    const task = await commitTask(deps, live, decision, by);
    if (isFinished(task)) {
      await deps.tasks.settle(task);
      return getTask(deps, tenant, taskId);
    }
    if (isHeld(task)) {
      await deps.queues.ring(task.runtimeId);
      const settings = await settingsOf(deps, await existingAgent(deps, tenant, task.agentId));
      await deps.due.lower(
        agentHead(tenant, task.agentId),
        cancelDeadlineMs(deps.now(), force ? 0 : settings.cancelGraceSeconds),
      );
    }
    return { record: known.record, live: task };
  }).catch((error) => {
    if (error instanceof Conflict) throw new RouseError('conflict', `${error.message} Try again.`, { cause: error });
    throw error;
  });
}

/** A shim hears of a cancel at once, or at its next heartbeat; then it has the grace, and a little to report. */
export function cancelDeadlineMs(requestedMs: number, cancelGraceSeconds: number): number {
  return requestedMs + (cancelGraceSeconds + 30) * 1000;
}

/** A new task like one that did not succeed. */
export async function retryTask(
  deps: Deps,
  tenant: string,
  taskId: string,
  seed: string,
  by: Cause,
): Promise<KnownTask> {
  const { record, live } = await getTask(deps, tenant, taskId);
  const status = live?.status ?? record.status;
  if (status !== 'failed' && status !== 'timed_out' && status !== 'cancelled') {
    throw illegalTransition('task', taskId, status ?? 'queued', 'retry', ['failed', 'timed_out', 'cancelled']);
  }
  const agent = await existingAgent(deps, tenant, record.agentId);
  requireTakesWork(agent);
  const id = idOf('task', seed, record.agentId);
  const settings = await settingsOf(deps, agent);
  // As in submitTask: a replay must find the live row of the first try, not make a second one.
  const createdMs = timeOf(id);
  const { input, inputKey, expects, metadata, message, priority, agentId } = record;
  const { maxAttempts, timeoutSeconds, budget } = record;
  const again: TaskRecord = {
    id,
    agentId,
    tenant,
    place: placeOf(createdMs, priority),
    priority,
    input,
    inputKey,
    expects,
    metadata,
    message,
    maxAttempts,
    timeoutSeconds,
    budget,
    createdMs,
    retryOf: taskId,
  };
  const { task, events } = submit({
    id,
    agentId,
    tenant,
    place: again.place,
    maxAttempts,
    timeoutSeconds,
    budget,
    leaseSeconds: settings.task.heartbeatSeconds,
    createdMs,
    notBeforeMs: createdMs,
  });
  await deps.tasks.submit(again, task, carry(deps, events, by));
  await ringIfWaiting(deps, agent);
  return { record: again, live: task };
}

/** Newest first. With statuses that are all unfinished, only the live rows are read. */
export async function listTasks(
  deps: Deps,
  tenant: string,
  statuses: readonly TaskStatus[],
  limit: number,
  before: string | undefined,
): Promise<Page<KnownTask>> {
  const isFinal = (status: TaskStatus) => (finalStatuses as readonly string[]).includes(status);
  if (statuses.length > 0 && !statuses.some(isFinal)) {
    const page = await filteredPage<LiveTask>(
      (size, from) => deps.tasks.pageOfOpen(tenant, size, from),
      (task) => statuses.includes(task.status),
      (task) => task.id,
      limit,
      before,
    );
    const records = new Map(
      (
        await deps.tasks.records(
          tenant,
          page.items.map((task) => task.id),
        )
      ).map((record) => [record.id, record]),
    );
    return {
      next: page.next,
      items: page.items.flatMap((live) => (records.has(live.id) ? [{ record: records.get(live.id)!, live }] : [])),
    };
  }
  return knownPage(deps, (size, from) => deps.tasks.page(tenant, size, from), statuses, limit, before);
}

export async function listAgentTasks(
  deps: Deps,
  tenant: string,
  agentId: string,
  statuses: readonly TaskStatus[],
  limit: number,
  before: string | undefined,
  isMeant: (record: TaskRecord) => boolean = () => true,
): Promise<Page<KnownTask>> {
  await existingAgent(deps, tenant, agentId);
  const read = async (size: number, from: string | undefined) => {
    const page = await deps.tasks.pageOfAgent(tenant, agentId, size, from);
    return { items: page.items.filter(isMeant), next: page.next };
  };
  return knownPage(deps, read, statuses, limit, before);
}

function knownPage(
  deps: Deps,
  read: (limit: number, before: string | undefined) => Promise<Page<TaskRecord>>,
  statuses: readonly TaskStatus[],
  limit: number,
  before: string | undefined,
): Promise<Page<KnownTask>> {
  return filteredPage<KnownTask>(
    async (size, from) => {
      const page = await read(size, from);
      return { items: await withLiveRows(deps, page.items), next: page.next };
    },
    ({ record, live }) => {
      const status = live?.status ?? record.status;
      // Neither finished nor live: a submission that was cut off, and never answered.
      return status !== undefined && (statuses.length === 0 || statuses.includes(status));
    },
    ({ record }) => record.id,
    limit,
    before,
  );
}

async function withLiveRows(deps: Deps, records: TaskRecord[]): Promise<KnownTask[]> {
  return Promise.all(
    records.map(async (record) =>
      record.status
        ? { record }
        : { record, live: await deps.tasks.live(record.tenant, record.agentId, record.place, record.id) },
    ),
  );
}
