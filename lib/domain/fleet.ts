import type { EventDraft } from './event.ts';
import type { HeadRef } from './head.ts';

/** How often the fleet is compared with what AWS has. */
export const fleetLookMs = 300_000;
/** An ECS task of nobody is stopped only when a second look, so much later, finds it so again. */
const secondLookMs = 240_000;
/** What one look remembers as suspect: a head has to stay within the 400 KB of an item. What is left is found again. */
const suspectsAtMost = 500;
/** ECS stops 40 tasks a second and cluster (aws-facts 1.2), and a look has ten seconds. */
const stopsPerLook = 100;
/** One event names this many things at most; its count tells the rest. */
const namedAtMost = 20;
/** How often the walk through the bucket begins. */
const walkEveryMs = 24 * 3_600_000;

/** What the two-way reconciliation remembers between its looks. A deployment has one. */
export interface Fleet {
  id: 'fleet';
  tenant: string;
  /** Where each of the lists goes on; from its start without one. */
  cursors: {
    tasks?: string | undefined;
    bells?: string | undefined;
    work?: string | undefined;
    objects?: string | undefined;
    agents?: string | undefined;
  };
  /** The number of agents is limited, and all that there were before are counted. */
  counted?: true | undefined;
  /** When the present walk through the bucket began, or the last one. */
  walkedMs?: number | undefined;
  /** ECS tasks that run for nobody, by ARN. */
  suspects: Record<string, Suspect>;
  dueAtMs: number;
  version: number;
}

export interface Suspect {
  /** When it was seen first. */
  sinceMs: number;
  /** What ECS says that started it. */
  startedBy?: string | undefined;
  /** Since when it is being stopped. */
  stoppedMs?: number | undefined;
}

/** What one look has found. */
export interface Findings {
  /** Tasks that run and belong to no runtime that anybody has. */
  orphans: { taskArn: string; startedBy?: string | undefined }[];
  /** Former suspects that still run, or of which ECS did not say. */
  remaining: string[];
  /** Bells of runtimes that are dead, already removed. */
  bells: string[];
  /** Keys of objects that belonged to no generation, already removed. */
  objects: string[];
  /** Heads with work and no time at which anybody would look. */
  forgotten: HeadRef[];
  counted: true | undefined;
  cursors: Fleet['cursors'];
}

export interface FleetDecision {
  fleet: Fleet;
  events: EventDraft[];
  /** ARNs of tasks to stop. */
  stop: string[];
}

export function newFleet(tenant: string, nowMs: number): Fleet {
  return { id: 'fleet', tenant, cursors: {}, suspects: {}, dueAtMs: nowMs + fleetLookMs, version: 1 };
}

/** Whether a look goes on with the walk through the bucket, or begins a new one. */
export function walks({ cursors, walkedMs = 0 }: Fleet, nowMs: number): boolean {
  return cursors.objects !== undefined || nowMs - walkedMs >= walkEveryMs;
}

/** A task of nobody is marked, stopped when the next look finds it again, and forgotten when it is gone. */
export function reconciled(fleet: Fleet, findings: Findings, nowMs: number): FleetDecision {
  const orphans = new Map(findings.orphans.map((orphan) => [orphan.taskArn, orphan]));
  const suspects: Record<string, Suspect> = {};
  const stop: string[] = [];
  const fresh: string[] = [];
  // Those that no stop was asked for yet come first.
  const known = Object.entries(fleet.suspects).toSorted(([, a], [, b]) => (a.stoppedMs ?? 0) - (b.stoppedMs ?? 0));
  for (const [taskArn, suspect] of known) {
    // It runs for somebody after all, or it has ended.
    if (!orphans.has(taskArn) && !findings.remaining.includes(taskArn)) continue;
    const isOver = orphans.has(taskArn) && nowMs - suspect.sinceMs >= secondLookMs && stop.length < stopsPerLook;
    if (isOver) stop.push(taskArn);
    if (isOver && suspect.stoppedMs === undefined) fresh.push(taskArn);
    suspects[taskArn] = isOver ? { ...suspect, stoppedMs: suspect.stoppedMs ?? nowMs } : suspect;
  }
  const room = suspectsAtMost - Object.keys(suspects).length;
  const found = [...orphans.values()].filter(({ taskArn }) => !(taskArn in suspects)).slice(0, room);
  for (const { taskArn, startedBy } of found) suspects[taskArn] = { sinceMs: nowMs, startedBy };
  const marked = found.map(({ taskArn }) => taskArn);
  const events: EventDraft[] = [
    ...told('fleet.orphans_marked', 'taskArns', marked),
    ...told('fleet.orphans_stopped', 'taskArns', fresh),
    ...told('fleet.bells_removed', 'runtimeIds', findings.bells),
    ...told('fleet.objects_removed', 'keys', findings.objects),
    ...told(
      'fleet.work_found',
      'ids',
      findings.forgotten.map(({ id }) => id),
    ),
  ];
  const { cursors, counted } = findings;
  const walkedMs = fleet.cursors.objects === undefined && walks(fleet, nowMs) ? nowMs : fleet.walkedMs;
  return {
    fleet: { ...fleet, cursors, counted, walkedMs, suspects, dueAtMs: nowMs + fleetLookMs, version: fleet.version + 1 },
    events,
    stop,
  };
}

function told(type: string, name: string, values: string[]): EventDraft[] {
  return values.length === 0 ? [] : [{ type, data: { count: values.length, [name]: values.slice(0, namedAtMost) } }];
}
