import type { z } from 'zod';
import type { Instructions } from '../app/claim.ts';
import type { Enrolment, StandbyEnrolment } from '../app/enrol.ts';
import type { ListedFile } from '../app/generation-files.ts';
import type { Import, LogLine, Runtime, TemplateVersion } from '../app/ports.ts';
import { type KnownTask, maxInlineBytes } from '../app/tasks.ts';
import type { Generation } from '../app/workspace-ports.ts';
import { type Agent, reasonOf } from '../domain/agent.ts';
import { usedBy } from '../domain/agent-budget.ts';
import { amountsOf, type Budget } from '../domain/budget.ts';
import { priced } from '../domain/cost.ts';
import type { RecordedEvent } from '../domain/event.ts';
import { agentObjects, runtimeObjects } from '../domain/object-key.ts';
import type { Parent } from '../domain/parent.ts';
import type { Pool } from '../domain/pool.ts';
import { isFinished, reasonOf as reasonOfTask, statusSince } from '../domain/task.ts';
import { taskMessageView } from './message-views.ts';
import type { Agent as AgentResource } from './schemas/agent.ts';
import type { Event } from './schemas/event.ts';
import type { Generation as GenerationResource } from './schemas/generation.ts';
import type { GenerationFile } from './schemas/generation-file.ts';
import type { EnrollAnswer, Instructions as InstructionsAnswer, StandbyAnswer } from './schemas/runtime.ts';
import type { OutputSpec, ParentView, Task, TaskSummary } from './schemas/task.ts';
import type { template } from './schemas/template.ts';

/** How the domain's things look to a client. */

const time = (ms: number) => new Date(ms).toISOString();
const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : time(ms));

export function templateView(version: TemplateVersion, pool?: Pool): z.input<typeof template> {
  const { name, version: number, spec, createdMs } = version;
  const shown = pool ? { pool: poolView(pool) } : {};
  return { name, version: number, ...(spec as object), ...shown, createdAt: time(createdMs) } as z.input<
    typeof template
  >;
}

function poolView({ wanted, standbys, statusReason }: Pool) {
  const ready = standbys.filter((standby) => standby.ready).length;
  return { wanted, ready, starting: standbys.length - ready, reason: statusReason ?? null };
}

export function agentView(
  agent: Agent,
  tasks: { queued: number; running: number },
  budget: Budget,
  runtime?: Runtime,
): AgentResource {
  const { workspace } = agent;
  return {
    id: agent.id,
    name: agent.name,
    template: agent.template,
    templateVersion: agent.templateVersion,
    labels: agent.labels,
    overrides: agent.overrides,
    status: agent.status,
    statusReason: reasonOf(agent, tasks) ?? null,
    statusSince: time(agent.statusSinceMs),
    held: agent.held,
    budget,
    used: usedBy(agent),
    runtime:
      agent.runtimeId === undefined
        ? null
        : {
            id: agent.runtimeId,
            status: runtime?.observed?.lastStatus.toLowerCase() ?? agent.status,
            startedAt: timeOrNull(agent.runtimeSinceMs),
            taskArn: runtime?.taskArn ?? null,
          },
    tasks,
    forkedFrom: agent.forkOf ?? null,
    workspace: workspace ? { generation: workspace.generation, bytes: workspace.bytes } : null,
    // While it runs only its shim knows.
    idleSince: agent.status === 'running' ? null : timeOrNull(agent.idleSinceMs),
    activeUntil: timeOrNull(agent.activeUntilMs),
    createdAt: time(agent.createdMs),
    updatedAt: time(agent.updatedMs),
  };
}

const noUsage = priced(0, { wallSeconds: 0 });

export function taskSummaryView({ record, live }: KnownTask): TaskSummary {
  const now = live ?? record;
  return {
    id: record.id,
    agentId: record.agentId,
    status: now.status ?? 'queued',
    statusReason: (live && reasonOfTask(live)) ?? null,
    statusSince: time(live ? statusSince(live) : (record.finishedMs ?? record.createdMs)),
    error: record.error ?? live?.lastError ?? null,
    attempt: now.attempt ?? 0,
    failures: now.failures ?? 0,
    maxAttempts: record.maxAttempts,
    priority: record.priority,
    progress: record.progress ?? null,
    usage: record.usage ? { ...noUsage, ...record.usage } : null,
    metadata: record.metadata ?? {},
    retryOf: record.retryOf ?? null,
    parent: record.parent === undefined ? null : parentView(record.parent),
    message: record.message === undefined ? null : taskMessageView(record.id, record.message),
    notBefore: live?.status === 'queued' && live.notBeforeMs > record.createdMs ? time(live.notBeforeMs) : null,
    expiresAt: timeOrNull(live?.expiresMs),
    timeoutSeconds: record.timeoutSeconds,
    budget: record.budget ?? {},
    generation: record.generation ?? null,
    createdAt: time(record.createdMs),
    startedAt: timeOrNull(record.startedMs ?? live?.firstStartedMs),
    finishedAt: timeOrNull(record.finishedMs ?? (live && isFinished(live) ? live.finishedMs : undefined)),
  };
}

export function parentView(parent: Parent): ParentView {
  if (parent.type === 'schedule') return { schedule: parent.name, scheduledTime: time(parent.scheduledMs) };
  const { runId, step, item } = parent;
  return { runId, step, ...(item === undefined ? {} : { item }) };
}

/** @param presign makes a URL for a key of the bucket */
export async function taskView(known: KnownTask, presign: (key: string) => Promise<string>): Promise<Task> {
  const { record } = known;
  return {
    ...taskSummaryView(known),
    input: record.inputKey === undefined ? record.input : null,
    ...(record.inputKey === undefined ? {} : { inputUrl: await presign(record.inputKey) }),
    output: record.output ?? null,
    ...(record.outputKey === undefined ? {} : { outputUrl: await presign(record.outputKey) }),
  };
}

export function eventView(event: RecordedEvent): Event {
  return {
    id: event.id,
    seq: event.seq,
    type: event.type,
    time: time(event.timeMs),
    agentId: event.agentId ?? null,
    taskId: event.taskId ?? null,
    runId: event.runId ?? null,
    schedule: event.schedule ?? null,
    pool: event.pool ?? null,
    actor: event.actor,
    cause: event.cause,
    data: event.data ?? {},
  };
}

export function generationView(generation: Generation, agent: Agent): GenerationResource {
  return {
    generation: generation.number,
    parent: generation.parent,
    runtimeId: generation.runtimeId,
    bytes: generation.bytes,
    files: generation.files,
    createdAt: time(generation.createdMs),
    current: agent.workspace?.generation === generation.number,
    damaged: generation.damage ? { reason: generation.damage.reason, foundAt: time(generation.damage.foundMs) } : null,
  };
}

export function generationFileView(file: ListedFile): GenerationFile {
  if (file.type === 'symlink') return file;
  const { path, type, bytes, mode, mtimeMs, sha256 } = file;
  return { path, type, bytes, mode: mode.toString(8).padStart(3, '0'), modifiedAt: time(mtimeMs), sha256 };
}

export function logLineView(line: LogLine & { taskId: string }) {
  return { time: line.time, stream: line.stream, line: line.line, taskId: line.taskId };
}

async function importView({ step, key, folder }: Import, presign: (key: string) => Promise<string>) {
  return { step, url: await presign(key), folder: folder ?? null };
}

export async function instructionsView(
  instructions: Instructions,
  presign: (key: string) => Promise<string>,
): Promise<InstructionsAnswer> {
  const tasks = instructions.tasks.map(async ({ task, record }) => ({
    id: task.id,
    fence: task.attempt,
    place: String(task.place),
    ...(record.inputKey === undefined ? { input: record.input } : { inputUrl: await presign(record.inputKey) }),
    output: record.expects as OutputSpec,
    timeoutSeconds: task.timeoutSeconds,
    leaseSeconds: task.leaseSeconds,
    usdPerSecond: task.usdPerSecond ?? 0,
    ...(task.budget ? { budget: { limits: task.budget, used: amountsOf(task.usedBefore) } } : {}),
    metadata: record.metadata ?? {},
    message: record.message === undefined ? null : taskMessageView(record.id, record.message),
    ...(record.exports ? { exports: record.exports } : {}),
    ...(record.imports ? { imports: await Promise.all(record.imports.map((one) => importView(one, presign))) } : {}),
    lastError: task.lastError ?? null,
  }));
  const { cancel, stop, nextDueMs, activeUntilMs, budget } = instructions;
  return {
    tasks: await Promise.all(tasks),
    cancel,
    stop,
    nextDueAt: timeOrNull(nextDueMs),
    activeUntil: timeOrNull(activeUntilMs),
    ...(budget ? { budget } : {}),
  };
}

export function standbyView(enrolment: StandbyEnrolment, places: { bellUrl: string }): StandbyAnswer {
  const { runtime, token, tokenExpiresMs, credentials } = enrolment;
  return {
    standby: true,
    token,
    tokenExpiresAt: time(tokenExpiresMs),
    runtime: { id: runtime.id },
    credentials,
    bell: { queueUrl: places.bellUrl },
  };
}

export function enrolmentView(enrolment: Enrolment, places: { bellUrl: string; bucket: string }): EnrollAnswer {
  const { agent, runtime, settings } = enrolment;
  const {
    driver,
    env,
    user,
    concurrency,
    idleTimeoutSeconds,
    maxLifetimeSeconds,
    stopTimeoutSeconds,
    cancelGraceSeconds,
  } = settings;
  const { enabled, save, minSaveIntervalSeconds } = settings.workspace;
  return {
    token: enrolment.token,
    tokenExpiresAt: time(enrolment.tokenExpiresMs),
    tenant: agent.tenant,
    agent: { id: agent.id, name: agent.name },
    runtime: { id: runtime.id, startedAt: time(agent.runtimeSinceMs ?? runtime.createdMs) },
    config: {
      driver,
      env,
      user,
      concurrency,
      idleTimeoutSeconds,
      maxLifetimeSeconds,
      stopTimeoutSeconds,
      cancelGraceSeconds,
      heartbeatSeconds: settings.task.heartbeatSeconds,
      workspace: { enabled, save, minSaveIntervalSeconds },
    },
    credentials: enrolment.credentials,
    bell: { queueUrl: places.bellUrl },
    storage: {
      bucket: places.bucket,
      readPrefix: agentObjects(agent.tenant, agent.id),
      writePrefix: runtimeObjects(agent.tenant, agent.id, runtime.id),
    },
    workspace: workspacePointerView(agent),
    maxInlineBytes,
  };
}

/** What a runtime restores, and the number that its next save has to exceed. */
export function workspacePointerView({ workspace, lastGeneration }: Agent): EnrollAnswer['workspace'] {
  if (!workspace) return null;
  const { generation, manifestKey, manifestSha256 } = workspace;
  return { generation, manifestKey, manifestSha256, lastGeneration: lastGeneration ?? generation };
}
