import type { PutSchedule } from '../app/schedules/schedules.ts';
import {
  buffered,
  type Fire,
  type FireResult,
  nextFires,
  type Schedule,
  type ScheduleDefinition,
  type ScheduleTarget,
} from '../domain/schedule.ts';
import type { FireResource, PutScheduleBody, ScheduleResource } from './schemas/schedule.ts';

/** How schedules look to a client, and what a client says of them. */

const fires = 5;
const time = (ms: number) => new Date(ms).toISOString();
const timeOrNull = (ms: number | undefined) => (ms === undefined ? null : time(ms));
/** EventBridge Scheduler knows seconds. */
const secondOf = (text: string | null | undefined) => (text ? Math.floor(Date.parse(text) / 1000) * 1000 : undefined);

export function scheduleView(schedule: Schedule, nowMs: number): ScheduleResource {
  const { definition, last, status } = schedule;
  const { startMs, endMs, ...rest } = definition;
  return {
    name: schedule.id,
    ...rest,
    startAt: timeOrNull(startMs),
    endAt: timeOrNull(endMs),
    enabled: status !== 'paused',
    note: schedule.note,
    // One that is deleted is shown to nobody.
    status: status === 'deleted' ? 'completed' : status,
    statusReason: schedule.statusReason ?? null,
    ownerAgentId: schedule.ownerAgentId ?? null,
    nextFires: nextFires(schedule, nowMs, fires).map(time),
    running: schedule.running.map((fire) => ({ scheduledTime: time(fire.scheduledMs), ...startedView(fire) })),
    buffered: buffered(schedule),
    backfills: schedule.backfills.map(({ fromMs, toMs, doneMs, overlap }) => ({
      from: time(fromMs),
      to: time(toMs),
      overlap,
      doneUpTo: time(Math.max(fromMs, doneMs)),
    })),
    lastResult: last ? { scheduledTime: time(last.scheduledMs), ...resultView(last) } : null,
    createdAt: time(schedule.createdMs),
    updatedAt: time(schedule.updatedMs),
  };
}

export function fireView(schedule: string, fire: Fire): FireResource {
  return {
    schedule,
    scheduledTime: time(fire.scheduledMs),
    cause: fire.cause,
    outcome: fire.outcome,
    reason: fire.reason ?? null,
    decidedAt: time(fire.decidedMs),
    ...startedView(fire),
    result: fire.result ? resultView(fire.result) : null,
  };
}

function startedView({ agentId, taskId, runId }: Pick<Fire, 'agentId' | 'taskId' | 'runId'>) {
  return { agentId: agentId ?? null, taskId: taskId ?? null, runId: runId ?? null };
}

function resultView({ status, finishedMs, error }: FireResult) {
  return { status, finishedAt: time(finishedMs), error: error ?? null };
}

/** @param target as the body has it, or as it follows from who asks */
export function putCommand(body: Omit<PutScheduleBody, 'target'>, target: ScheduleTarget): PutSchedule {
  const { enabled, note, startAt, endAt, expression, timezone, jitterSeconds } = body;
  const { overlap, catchupWindowSeconds, pauseOnFailure } = body;
  const definition: ScheduleDefinition = {
    expression,
    timezone,
    startMs: secondOf(startAt),
    endMs: secondOf(endAt),
    jitterSeconds,
    target,
    overlap,
    catchupWindowSeconds,
    pauseOnFailure,
  };
  return { definition, enabled, note };
}

export function targetOf({ agentId, template, workflow, task, input }: PutScheduleBody['target']): ScheduleTarget {
  if (workflow !== undefined) return { workflow, input: input ?? null };
  // The schema has seen to it that there is a task, and one of the two.
  if (template !== undefined) return { template, task: task! };
  return { agentId: agentId!, task: task! };
}
