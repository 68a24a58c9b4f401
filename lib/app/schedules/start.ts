import { brief, isRouseError, RouseError } from '../../domain/errors.ts';
import { ExpressionError, evaluate } from '../../domain/expression.ts';
import type { RunningFire, Schedule, ScheduledTask } from '../../domain/schedule.ts';
import type { Begun } from '../../domain/schedule-advance.ts';
import { createAgent } from '../agents.ts';
import type { Deps } from '../deps.ts';
import { startRun } from '../runs/start.ts';
import { submitTask } from '../tasks.ts';
import { bySchedule } from './commit.ts';
import { lastOutput } from './last-output.ts';
import { clearAway } from './running.ts';

/** What is missing now is missing the next time too: such a schedule pauses instead of failing for ever. */
const forGood = ['not_found', 'agent_terminated', 'invalid', 'not_supported'];

/** Starts what a fire is to start. Safe to repeat: all ids were decided with the fire. */
export async function begin(deps: Deps, schedule: Schedule, fire: RunningFire, cause: string): Promise<Begun> {
  const { scheduledMs } = fire;
  try {
    await start(deps, schedule, fire, cause);
    return { scheduledMs };
  } catch (error) {
    const failed = failureOf(error);
    // Now: nobody would know of its agent when the fire is given up.
    await clearAway(deps, schedule, [fire], cause);
    return { scheduledMs, failed };
  }
}

function failureOf(error: unknown): Begun['failed'] {
  if (error instanceof ExpressionError) return { reason: brief(error).message, forGood: false };
  // What is not the caller's fault (throttling, a bug) is tried again.
  if (!isRouseError(error) || error.status >= 429) throw error;
  return { reason: brief(error).message, forGood: forGood.includes(error.code) };
}

async function start(deps: Deps, schedule: Schedule, fire: RunningFire, cause: string): Promise<void> {
  const { tenant, id: name, definition } = schedule;
  const { target } = definition;
  const by = bySchedule(name, cause);
  const parent = { type: 'schedule', name, scheduledMs: fire.scheduledMs } as const;
  const { agentId, taskId, runId } = fire;
  if ('workflow' in target) {
    if (runId === undefined) throw changedMeanwhile();
    const bindings = { fire: await bindingsOf(deps, schedule, fire, target.input) };
    const input = await evaluate(target.input, bindings, { path: 'target.input', nowMs: fire.decidedMs });
    await startRun(deps, tenant, target.workflow, { id: runId, input, parent }, by);
    return;
  }
  if (agentId === undefined || taskId === undefined) throw changedMeanwhile();
  const filled = await fill(deps, schedule, fire, target.task);
  if ('template' in target) {
    const command = {
      template: target.template,
      name: `${name} ${new Date(fire.scheduledMs).toISOString()}`,
      labels: { schedule: name },
      start: false,
    };
    await createAgent(deps, tenant, ulidOf(agentId), command, by);
  }
  const submission = { ...filled, onBusy: 'enqueue', parent, isOnlyTask: 'template' in target } as const;
  await submitTask(deps, tenant, agentId, ulidOf(taskId), submission, by);
}

/** What it was decided to start is of another kind than what it would start now. */
function changedMeanwhile(): RouseError {
  return new RouseError('conflict', 'The target of the schedule was changed before the fire could start.');
}

/** The task with the expressions in its input evaluated. */
async function fill(deps: Deps, schedule: Schedule, fire: RunningFire, task: ScheduledTask): Promise<ScheduledTask> {
  const { input, metadata, ...rest } = task;
  const bindings = { fire: await bindingsOf(deps, schedule, fire, { input, metadata }) };
  const nowMs = fire.decidedMs;
  return {
    ...rest,
    input: await evaluate(input, bindings, { path: 'target.task.input', nowMs }),
    metadata: (await evaluate(metadata, bindings, { path: 'target.task.metadata', nowMs })) as Record<string, unknown>,
  };
}

/** What `$fire` is. */
async function bindingsOf(deps: Deps, schedule: Schedule, fire: RunningFire, template: unknown) {
  const asksForOutput = JSON.stringify(template).includes('lastOutput');
  return {
    schedule: schedule.id,
    scheduledTime: new Date(fire.scheduledMs).toISOString(),
    cause: fire.cause,
    lastOutput: asksForOutput ? await lastOutput(deps, schedule) : null,
    lastError: schedule.last?.error ?? null,
  };
}

const ulidOf = (id: string) => id.slice(id.indexOf('_') + 1);
