import { type HeadRef, headRefOf } from '../domain/head.ts';
import type { Deps } from './deps.ts';

/** How long after its failures something is looked at again. */
const againMs = 60_000;

/**
 * What failed too often makes what it names due again, so that a bad moment never lasts for ever and never blocks a
 * queue. Messages that name nothing of ours are dropped, with their text in the log. @returns how many there were
 */
export async function redriveDeadLetters(deps: Deps): Promise<number> {
  let count = 0;
  for await (const { body, remove } of deps.queues.deadLetters()) {
    const head = headIn(body);
    if (head) await deps.due.lower(head, deps.now() + againMs);
    deps.log.warn(head ? 'made due again after failures' : 'dead letter dropped', { ...head, body });
    await remove();
    count += 1;
  }
  return count;
}

/** A nudge names its head, and so does a launch. */
function headIn(body: string): HeadRef | undefined {
  try {
    return headRefOf(JSON.parse(body) as Record<string, unknown>);
  } catch {
    return undefined;
  }
}
