import { createHash } from 'node:crypto';
import { idOf, newUlid } from '../../domain/id.ts';
import type { Run } from '../../domain/run.ts';
import type { Step } from '../../domain/workflow.ts';
import type { ItemReader } from './values.ts';

/**
 * Ids of all that a run starts follow from the run, the step, the item and when the step began: whoever starts it again
 * after a crash finds what is there. Of the chance in a ULID the first 15 bits are an item's number, so that the items of
 * a step keep their order in the queue of an agent, which sorts by time and then by id.
 */
export function seedOf(run: Run, step: string, startedMs: number, item: number | undefined, what = ''): string {
  const hash = createHash('sha256')
    .update(`${run.tenant}/${run.id}/${step}/${item ?? ''}/${what}`)
    .digest();
  const order = item === undefined ? [] : [item >> 10, item >> 5, item];
  return newUlid(startedMs, (length) => Uint8Array.from([...order, ...hash]).subarray(0, length));
}

export function taskIdOf(run: Run, step: string, startedMs: number, item: number | undefined, agentId: string): string {
  return idOf('task', seedOf(run, step, startedMs, item), agentId);
}

/** The fresh agent of a `template` step or item. */
export function agentSeedOf(run: Run, step: string, startedMs: number, item: number | undefined): string {
  return seedOf(run, step, startedMs, item, 'agent');
}

export function childIdOf(run: Run, step: string, startedMs: number, item: number | undefined): string {
  return idOf('run', seedOf(run, step, startedMs, item));
}

/** The agent of an item: its own fresh one, the one that an expression chose for it, or that of all. */
export async function itemIdentity(
  run: Run,
  step: Step,
  startedMs: number,
  item: number,
  reader: ItemReader,
): Promise<string> {
  if (step.template !== undefined) return idOf('agent', agentSeedOf(run, step.id, startedMs, item));
  const { agentId } = await reader.item(item);
  return agentId ?? step.agent!;
}
