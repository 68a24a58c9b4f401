import type { HeadKind, HeadRef } from '../domain/head.ts';
import type { Deps } from './deps.ts';
import { reconcileFleet } from './fleet.ts';
import { lookAtPool } from './pool/look.ts';
import type { Queues } from './ports.ts';
import { reconcile } from './reconcile/reconcile.ts';
import { lookAtRoom } from './room/look.ts';
import { lookAtRun } from './runs/look.ts';
import { reconcileSchedule } from './schedules/reconcile.ts';

type Look = (deps: Deps, tenant: string, id: string, cause: string) => Promise<void>;

/** What is looked at, and how. */
const looks: Partial<Record<HeadKind, Look>> = {
  agent: reconcile,
  run: lookAtRun,
  fleet: reconcileFleet,
  pool: lookAtPool,
  room: lookAtRoom,
  schedule: reconcileSchedule,
};

/** Reads what is wanted of a head and what is, decides, commits, acts. Safe at any time, any number of times. */
export async function lookAt(deps: Deps, { tenant, kind, id }: HeadRef, cause: string): Promise<void> {
  await looks[kind]?.({ ...deps, queues: patient(deps) }, tenant, id, cause);
}

/** Dispatch never sends to its own queue: what a look wants looked at goes by way of the timers. */
function patient({ queues, now }: Deps): Queues {
  const nudge: Queues['nudge'] = async (nudges) => {
    for (const one of nudges) await queues.nudgeAt(one, now(), now());
  };
  return Object.assign(Object.create(queues) as Queues, { nudge });
}
