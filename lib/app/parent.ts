import { runHead, subjectOf } from '../domain/head.ts';
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

/** Leaves word for runs, and has the parents of what has ended looked at. Safe to repeat. */
export async function tellParents(deps: Pick<Deps, 'queues' | 'runs'>, endings: readonly Ending[]): Promise<void> {
  await Promise.all(
    endings.map(async ({ parent, tenant, id, status }) => {
      if (parent.type === 'run') await deps.runs.leaveWord(tenant, parent.runId, { ...parent, id, status });
    }),
  );
  const heads = endings.map(({ parent, tenant }) =>
    parent.type === 'run' ? runHead(tenant, parent.runId) : { tenant, kind: 'schedule' as const, id: parent.name },
  );
  // A hundred ends of one run ask for one look.
  await deps.queues.nudge([...new Map(heads.map((head) => [`${head.tenant}/${subjectOf(head)}`, head])).values()]);
}
