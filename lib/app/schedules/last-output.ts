import type { Schedule } from '../../domain/schedule.ts';
import type { Deps } from '../deps.ts';
import { readValue } from '../runs/values.ts';

/** The output of the last fire that succeeded, or null if none has. @throws RouseError too_large */
export async function lastOutput(deps: Deps, { tenant, lastSuccess }: Schedule): Promise<unknown> {
  const { taskId, runId } = lastSuccess ?? {};
  if (taskId !== undefined) return readValue(deps, tenant, { taskId });
  return runId === undefined ? null : readValue(deps, tenant, { runId });
}
