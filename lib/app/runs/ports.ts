import type { CarriedEvent } from '../../domain/event.ts';
import type { Completion, Run } from '../../domain/run.ts';
import type { WorkflowVersion } from '../../domain/workflow.ts';
import type { Page } from '../ports.ts';

/** Definitions of workflows, by name and version. */
export interface Workflows {
  /** The current version, or a given one. Versions never change and are cached. */
  get(tenant: string, name: string, version?: number): Promise<WorkflowVersion | undefined>;
  /** The highest version that ever was, also of a workflow that has been deleted; 0 if there was none. */
  lastVersion(tenant: string, name: string): Promise<number>;
  /** @throws Conflict when somebody else put a version meanwhile. */
  put(tenant: string, version: WorkflowVersion): Promise<void>;
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<WorkflowVersion>>;
  /** Frees the name; the versions stay for the runs that hold them. */
  delete(tenant: string, name: string): Promise<void>;
}

export interface Runs {
  get(tenant: string, runId: string): Promise<Run | undefined>;
  /** @throws Conflict when a run with this id, or with the same partition, exists. */
  create(run: Run, events: CarriedEvent[]): Promise<void>;
  /** Writes what differs, if the head still is what `before` says. */
  commit(before: Run, after: Run, events: CarriedEvent[]): Promise<void>;
  /** Newest first. */
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<Run>>;
  /** Leaves word of an end in the run's inbox; twice is once. */
  leaveWord(tenant: string, runId: string, completion: Completion): Promise<void>;
  /** Some of the inbox, strongly consistent. */
  inbox(tenant: string, runId: string, limit: number): Promise<Completion[]>;
  /** Takes word out of the inbox that has been taken into account. */
  drop(tenant: string, runId: string, completion: Completion): Promise<void>;
}
