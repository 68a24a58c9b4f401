import { ensureFleet } from '../lib/app/fleet.ts';
import { redriveDeadLetters } from '../lib/app/redrive.ts';
import { walkAlarms } from '../lib/app/schedules/walk.ts';
import { ensureSecrets, sweepDue } from '../lib/app/sweep.ts';
import { dueShards } from '../lib/aws/keys.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';
import { replayFailedRecords } from './replay.ts';

const rarelyMinutes = 5;

/**
 * Every minute: nudges whatever is overdue, which is the backstop for every message, event and timer that got lost, and
 * takes care of what failed too often: reading two empty queues costs four cents a month here, and thirty each by a
 * consumer of its own.
 * The first one after a deploy makes what CloudFormation can't: the first admin key (a SecureString), and the fleet's head.
 */
export function makeHandler(deps: FunctionDeps) {
  let isSetUp = false;
  return async (): Promise<{ due: number; deadLetters: number }> => {
    if (!isSetUp) {
      await ensureSecrets(deps);
      await ensureFleet(deps);
      isSetUp = true;
    }
    // What is overdue comes first, and nothing that fails beside it keeps it from being nudged.
    const [due, deadLetters] = await Promise.allSettled([sweepDue(deps, dueShards), redriveDeadLetters(deps)]);
    // Listings cost more than a look at the table, and what they find has waited for minutes already.
    if (Math.floor(deps.now() / 60_000) % rarelyMinutes === 0) {
      const replayed = await replayFailedRecords(deps);
      if (replayed > 0) deps.log.warn('failed stream records replayed', { batches: replayed });
      const differ = await walkAlarms(deps);
      if (differ > 0) deps.log.warn('schedules differ in EventBridge Scheduler', { differ });
    }
    if (due.status === 'rejected') throw due.reason;
    if (deadLetters.status === 'rejected') throw deadLetters.reason;
    if (due.value > 0) deps.log.info('overdue agents nudged', { due: due.value });
    return { due: due.value, deadLetters: deadLetters.value };
  };
}

export const handler = wrapped('sweep', makeHandler);
