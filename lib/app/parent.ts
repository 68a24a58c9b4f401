import type { Parent } from '../domain/parent.ts';
import type { Deps } from './deps.ts';

/** The end of something that has a parent. */
export interface Ending {
  parent: Parent;
  tenant: string;
  /** Id of the task or run that has ended. */
  id: string;
  status: string;
}

/** Has the parents of what has ended looked at. Safe to repeat. */
export async function tellParents(deps: Pick<Deps, 'queues'>, endings: readonly Ending[]): Promise<void> {
  await deps.queues.nudge(
    endings.map(({ parent, tenant }) =>
      parent.type === 'run' ? { tenant, kind: 'run', id: parent.runId } : { tenant, kind: 'schedule', id: parent.name },
    ),
  );
}
