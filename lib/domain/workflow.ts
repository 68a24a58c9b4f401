import type { Budget } from './budget.ts';

/** What to do when a step has failed: end the run, or go on without its output. */
export type OnFailure = 'fail' | 'continue';

export interface Approval {
  /** What is asked; may be an expression. */
  prompt: string;
  timeoutSeconds?: number | undefined;
  onTimeout: 'reject' | 'approve' | 'fail';
}

/** What a task of a step has to answer with. */
export interface StepOutput {
  type: 'text' | 'json' | 'files';
  schema?: unknown;
  files?: string[] | undefined;
}

/** One step of a workflow, defaults filled in. Exactly one of `agent`, `template`, `workflow`, `approval`, `waitFor` is given. */
export interface Step {
  id: string;
  needs: string[];
  when?: string | undefined;
  agent?: string | undefined;
  /** A fresh agent is made from it, and terminated when the step is over. */
  template?: string | undefined;
  /** Another workflow, run as a part of this one. */
  workflow?: string | undefined;
  approval?: Approval | undefined;
  /** Name of the signal that it waits for. */
  waitFor?: string | undefined;
  /** What a wait gives when its time is over; without it the step fails. */
  default?: unknown;
  forEach?: unknown;
  maxConcurrency: number;
  input?: unknown;
  output: StepOutput;
  maxAttempts?: number | undefined;
  budget?: Budget | undefined;
  timeoutSeconds?: number | undefined;
  exports?: string[] | undefined;
  onFailure?: OnFailure | undefined;
}

export interface Definition {
  description: string;
  steps: Step[];
  output?: unknown;
  onFailure: OnFailure;
  timeoutSeconds: number;
}

/** A version of a workflow. Versions never change: a run keeps the one that it started with. */
export interface WorkflowVersion {
  name: string;
  version: number;
  definition: Definition;
  createdMs: number;
}

export const workflowLimits = {
  steps: 100,
  /** Items of a forEach step. */
  items: 10_000,
  /** Items of one step that are under way at the same time. */
  concurrency: 1_000,
  /** Items of all steps together that are under way at the same time: the run's head names each. */
  underWay: 10_000,
  /** Bytes of JSON of one definition: it is one DynamoDB item. */
  definitionBytes: 262_144,
  /** Workflows within workflows. */
  depth: 8,
  /** Sub-runs of a run on each of these levels. */
  subRuns: 10_000,
  /** Characters that an approval asks: the run's head holds them, and its step's event. */
  prompt: 1_000,
} as const;

/**
 * What a sub-run may start of a run's share: as much as all others that the run may start beside it. So nobody has to
 * count, and the sub-runs of a level are never more than the first run's share.
 */
export function shareOf(budget: number, { steps }: Definition, items: number): { ofStep: number; ofItem: number } {
  const ofStep = Math.floor(budget / steps.filter((step) => step.workflow !== undefined).length);
  return { ofStep, ofItem: Math.floor(ofStep / Math.max(1, items)) };
}

export type StepKind = 'agent' | 'template' | 'workflow' | 'approval' | 'waitFor';
export const stepKinds = ['agent', 'template', 'workflow', 'approval', 'waitFor'] as const;

export function kindOf(step: Step): StepKind {
  const kind = stepKinds.find((one) => step[one] !== undefined);
  if (!kind) throw new Error(`The step "${step.id}" is of no kind.`);
  return kind;
}

export function stepOf(definition: Definition, id: string): Step {
  const step = definition.steps.find((one) => one.id === id);
  if (!step) throw new Error(`The workflow has no step "${id}".`);
  return step;
}

export function onFailureOf(definition: Definition, step: Step): OnFailure {
  return step.onFailure ?? definition.onFailure;
}

/** All steps that come before a step, by whatever way. Survives cycles. */
export function stepsBefore(steps: readonly Step[], id: string): Set<string> {
  return reached(id, (one) => steps.find((step) => step.id === one)?.needs ?? []);
}

/** All steps that come after a step, by whatever way. */
export function stepsAfter(steps: readonly Step[], id: string): Set<string> {
  return reached(id, (one) => steps.filter((step) => step.needs.includes(one)).map((step) => step.id));
}

function reached(from: string, next: (id: string) => string[]): Set<string> {
  const found = new Set<string>();
  const open = [...next(from)];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    open.push(...next(id));
  }
  return found;
}
