import type { EventDraft } from './event.ts';
import type { Parent } from './parent.ts';

export const runStatuses = ['running', 'succeeded', 'failed', 'cancelled', 'timed_out'] as const;
export type RunStatus = (typeof runStatuses)[number];

/** A value of a run: a small one itself, or where to find it. What a task or a run answered stays where it is. */
export type ValueRef = { inline: unknown } | { key: string; bytes: number } | { taskId: string } | { runId: string };

export interface RunError {
  code: string;
  message: string;
  /** The step that is to blame. */
  step?: string | undefined;
}

/** The items of a forEach step, with the agent of each if an expression chooses it: inline, or a hundred to an object. */
export type ItemsRef = { inline: Items } | { prefix: string };

export interface Items {
  items: unknown[];
  agents?: string[] | undefined;
}

/** Items to one object. */
export const itemsPerChunk = 100;

/** Not started. A signal that comes before the step waits for it is kept. */
export interface PendingStep {
  status: 'pending';
  signal?: ValueRef | undefined;
}

/** One task or sub-run is under way. */
export interface SingleStep {
  status: 'running';
  startedMs: number;
  /** Of the task or the sub-run. */
  id: string;
  agentId?: string | undefined;
  /** Its end was asked for. */
  asked?: boolean | undefined;
}

/** Items are under way: those of `active`, all before `next` that are not in it are over. */
export interface MappedStep {
  status: 'running';
  startedMs: number;
  items: ItemsRef;
  total: number;
  next: number;
  active: number[];
  succeeded: number;
  failed: number;
  /** The first error of an item. */
  error?: RunError | undefined;
  /** The end of items up to this index was asked for. */
  asked?: number | undefined;
}

/** An approval or a wait for a signal: it costs nothing. */
export interface WaitingStep {
  status: 'waiting';
  startedMs: number;
  untilMs?: number | undefined;
  prompt?: string | undefined;
}

export interface DoneStep {
  status: 'succeeded' | 'failed' | 'skipped' | 'cancelled';
  startedMs?: number | undefined;
  finishedMs: number;
  output?: ValueRef | undefined;
  error?: RunError | undefined;
  reason?: string | undefined;
  /** As it was while it ran. */
  id?: string | undefined;
  agentId?: string | undefined;
  items?: ItemsRef | undefined;
  counts?: { total: number; started: number; succeeded: number; failed: number } | undefined;
  /** The run that it was taken from, by a rerun. */
  copiedFrom?: string | undefined;
}

export type StepState = PendingStep | SingleStep | MappedStep | WaitingStep | DoneStep;

/** Why a run ends before its steps are done. It is over when nothing of it runs any more. */
export interface RunEnding {
  status: 'failed' | 'cancelled' | 'timed_out';
  error: RunError;
  /** What runs is killed without grace. */
  force?: boolean | undefined;
}

/** The head row of a run: small, whatever the number of its items. */
export interface Run {
  id: string;
  tenant: string;
  workflow: string;
  workflowVersion: number;
  status: RunStatus;
  input: ValueRef;
  /** Steps that are still pending, and got no signal, are left out. */
  steps: Record<string, StepState>;
  ending?: RunEnding | undefined;
  output?: ValueRef | undefined;
  error?: RunError | undefined;
  parent?: Parent | undefined;
  /** Runs above it. */
  depth: number;
  /** How many sub-runs there may be on each level below it; of one without, as many as a first run's. */
  budget?: number | undefined;
  rerunOf?: string | undefined;
  createdMs: number;
  /** When it last moved on. */
  movedMs: number;
  finishedMs?: number | undefined;
  deadlineMs: number;
  dueAtMs?: number | undefined;
  /** How many of what is under way the present look after lost events has seen. */
  checked?: number | undefined;
  /** Rises by one with every write. */
  version: number;
}

/** What acting on a decision means; each is safe to repeat. */
export type RunEffect =
  | { type: 'start'; step: string; item?: number | undefined }
  | { type: 'end'; step: string; item?: number | undefined }
  /** The fresh agent of what is over is terminated. */
  | { type: 'clean'; step: string; item?: number | undefined; id: string }
  | { type: 'timer'; atMs: number };

/** A run's new state, what has happened, and what to do. */
export interface RunDecision {
  run: Run;
  events: EventDraft[];
  effects: RunEffect[];
}

/** The end of a task or sub-run, as its parent hears of it; perhaps twice. */
export interface Completion {
  step: string;
  item?: number | undefined;
  /** Of the task or run that has ended. */
  id: string;
  status: string;
  error?: RunError | undefined;
}

const pending: PendingStep = { status: 'pending' };

export function stateOf(run: Run, step: string): StepState {
  // A step may be called "constructor", which every object has.
  return (Object.hasOwn(run.steps, step) && run.steps[step]) || pending;
}

export function isMapped(state: StepState): state is MappedStep {
  return state.status === 'running' && 'active' in state;
}

export function isSingle(state: StepState): state is SingleStep {
  return state.status === 'running' && 'id' in state;
}

export function isDone(state: StepState): state is DoneStep {
  return state.status !== 'pending' && state.status !== 'running' && state.status !== 'waiting';
}

export function isOver(run: Run): boolean {
  return run.status !== 'running';
}

/** Something of it may still run. */
export function isBusy(state: StepState): boolean {
  return isSingle(state) || (isMapped(state) && state.active.length > 0);
}

/** Nothing decided: the beginning of a chain of decisions. */
export function unchanged(run: Run): RunDecision {
  return { run, events: [], effects: [] };
}

/** A decision and what is decided upon its outcome. */
export function chain(first: RunDecision, decide: (run: Run) => RunDecision): RunDecision {
  const second = decide(first.run);
  return {
    run: second.run,
    events: [...first.events, ...second.events],
    effects: [...first.effects, ...second.effects],
  };
}

export function withStep(run: Run, step: string, state: StepState): Run {
  return { ...run, steps: { ...run.steps, [step]: state } };
}
