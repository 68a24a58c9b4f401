import { isBusy, isMapped, isOver, type Run } from './run.ts';
import { hasUnasked } from './run-end.ts';

/** A run that does not move is looked at again after as long as it has not moved, within these bounds. */
const soonestMs = 30_000;
const latestMs = 900_000;

/** When a run has to be looked at though nobody says so. A due time may be early, never late: an earlier one is kept. */
export function dueOf(run: Run, nowMs: number): number | undefined {
  if (isOver(run)) return undefined;
  const times = run.ending ? [] : [run.deadlineMs];
  for (const state of Object.values(run.steps)) {
    if (state.status === 'waiting' && state.untilMs !== undefined) times.push(state.untilMs);
    if (isBusy(state) || isMapped(state))
      times.push(nowMs + Math.min(latestMs, Math.max(soonestMs, nowMs - run.movedMs)));
  }
  // What a crash cut off right after a commit.
  if (run.ending) times.push(nowMs + soonestMs);
  if (run.checked !== undefined || hasUnasked(run)) times.push(nowMs + soonestMs / 10);
  const wanted = Math.min(...times);
  return run.dueAtMs !== undefined && run.dueAtMs > nowMs && run.dueAtMs <= wanted ? run.dueAtMs : wanted;
}
