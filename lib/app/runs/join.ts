import { RouseError } from '../../domain/errors.ts';
import { isMapped, type Run, type RunError, stateOf, type ValueRef } from '../../domain/run.ts';
import type { Definition } from '../../domain/workflow.ts';
import { stepOf } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import type { TaskRecord } from '../ports.ts';
import { getTask } from '../tasks.ts';
import type { RunActor } from './act.ts';
import { failureOf } from './plan.ts';
import { keepValue, longestValueBytes, readValue } from './values.ts';

/** Records are read a hundred at a time, and so many hundreds beside each other. */
const batch = 100;
const parallel = 8;

/**
 * The outputs of a forEach step in the order of its items, null where one failed: read once, when all are over.
 * What does not fit into one value fails the step with a sentence.
 */
export async function joinOutputs(
  deps: Deps,
  run: Run,
  definition: Definition,
  step: string,
  actor: RunActor,
): Promise<{ output: ValueRef } | { error: RunError }> {
  const state = stateOf(run, step);
  if (!isMapped(state)) throw new Error(`The step "${step}" has no items.`);
  const isOfRuns = stepOf(definition, step).workflow !== undefined;
  const items = Array.from({ length: state.total }, (_, item) => item);
  try {
    const room = { bytes: longestValueBytes };
    const chunks = Array.from({ length: Math.ceil(state.total / batch) }, (_, i) =>
      items.slice(i * batch, (i + 1) * batch),
    );
    const outputs = await inParallel(chunks, parallel, async (chunk) => {
      const ids = await Promise.all(chunk.map(async (item) => (await actor.thingOf(step, item)).id));
      return isOfRuns ? outputsOfRuns(deps, run.tenant, ids, room) : outputsOfTasks(deps, run.tenant, ids, room);
    });
    return { output: await keepValue(deps, run, `${step}/output`, outputs.flat()) };
  } catch (error) {
    return { error: failureOf(error) };
  }
}

interface Room {
  bytes: number;
}

function take(room: Room, bytes: number): void {
  room.bytes -= bytes;
  if (room.bytes >= 0) return;
  const detail = `The outputs of its items have more than ${longestValueBytes} bytes together. Answer with less, or with files.`;
  throw new RouseError('too_large', detail);
}

async function outputsOfTasks(deps: Deps, tenant: string, ids: string[], room: Room): Promise<unknown[]> {
  const known = new Map((await deps.tasks.records(tenant, ids)).map((record) => [record.id, record]));
  return inParallel(ids, parallel, async (id) => {
    // Its end may be newer than what this reader of old copies has seen, or not be written to its record yet.
    const record = known.get(id)?.status ? known.get(id)! : (await getTask(deps, tenant, id)).record;
    return outputOfTask(deps, tenant, record, room);
  });
}

async function outputOfTask(deps: Deps, tenant: string, record: TaskRecord, room: Room): Promise<unknown> {
  if (record.status !== 'succeeded') return null;
  take(room, record.outputBytes ?? 0);
  return record.outputKey === undefined ? (record.output ?? null) : readValue(deps, tenant, { taskId: record.id });
}

async function outputsOfRuns(deps: Deps, tenant: string, ids: string[], room: Room): Promise<unknown[]> {
  return inParallel(ids, parallel, async (id) => {
    const child = await deps.runs.get(tenant, id);
    if (child?.output === undefined) return null;
    const value = await readValue(deps, tenant, child.output);
    take(room, Buffer.byteLength(JSON.stringify(value)));
    return value;
  });
}
