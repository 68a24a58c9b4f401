import { isRouseError } from '../../domain/errors.ts';
import { evaluate } from '../../domain/expression.ts';
import { runHead } from '../../domain/head.ts';
import { idOf } from '../../domain/id.ts';
import type { Parent } from '../../domain/parent.ts';
import { type Completion, isMapped, isSingle, type Run, type RunEffect, stateOf } from '../../domain/run.ts';
import { type Definition, type Step, stepOf } from '../../domain/workflow.ts';
import { createAgent, terminateAgent } from '../agents.ts';
import type { Cause } from '../commit.ts';
import type { Deps } from '../deps.ts';
import { inParallel } from '../in-parallel.ts';
import type { Import } from '../ports.ts';
import { cancelTask, submitTask } from '../tasks.ts';
import type { RunValues } from './bindings.ts';
import { agentSeedOf, childIdOf, itemIdentity, seedOf, taskIdOf } from './identity.ts';
import { importsOf } from './imports.ts';
import { failureOf } from './plan.ts';
import { endChild, startChild } from './start.ts';
import { ItemReader } from './values.ts';

/** Effects that are performed beside each other. */
const parallel = 10;

/** Performs effects of a run; each is safe to repeat. @returns ends of what could not be started, for the next decision */
export class RunActor {
  private readonly deps: Deps;
  private readonly run: Run;
  private readonly definition: Definition;
  private readonly values: RunValues;
  private readonly by: Cause;
  private readonly readers = new Map<string, ItemReader>();
  private readonly imports = new Map<string, Promise<Import[] | undefined>>();

  /** @param run as it was committed */
  constructor(deps: Deps, run: Run, definition: Definition, values: RunValues, by: Cause) {
    this.deps = deps;
    this.run = run;
    this.definition = definition;
    this.values = values;
    this.by = by;
  }

  async perform(effects: readonly RunEffect[]): Promise<Completion[]> {
    const ends = await inParallel(effects, parallel, (effect) => this.one(effect));
    return ends.filter((end) => end !== undefined);
  }

  private async one(effect: RunEffect): Promise<Completion | undefined> {
    switch (effect.type) {
      case 'start':
        return this.start(effect.step, effect.item);
      case 'end':
        return this.end(effect.step, effect.item);
      case 'clean':
        return this.clean(effect.step, effect.item, effect.id);
      case 'timer': {
        const { tenant, id } = this.run;
        await this.deps.queues.nudgeAt(runHead(tenant, id), effect.atMs, this.deps.now());
        return undefined;
      }
      default:
        return effect satisfies never;
    }
  }

  /** Id of the task or sub-run of a step or item, and of its agent. */
  async thingOf(stepId: string, item: number | undefined): Promise<{ id: string; agentId: string | undefined }> {
    const step = stepOf(this.definition, stepId);
    const state = stateOf(this.run, stepId);
    if (isSingle(state)) return { id: state.id, agentId: state.agentId };
    if (!isMapped(state) || item === undefined) throw new Error(`Nothing of the step "${stepId}" runs.`);
    if (step.workflow !== undefined)
      return { id: childIdOf(this.run, stepId, state.startedMs, item), agentId: undefined };
    const agentId = await itemIdentity(this.run, step, state.startedMs, item, this.reader(stepId));
    return { id: taskIdOf(this.run, stepId, state.startedMs, item, agentId), agentId };
  }

  private reader(step: string): ItemReader {
    let reader = this.readers.get(step);
    if (!reader) {
      const state = stateOf(this.run, step);
      if (!isMapped(state)) throw new Error(`The step "${step}" has no items.`);
      reader = new ItemReader(this.deps, state.items);
      this.readers.set(step, reader);
    }
    return reader;
  }

  private async start(stepId: string, item: number | undefined): Promise<Completion | undefined> {
    const state = stateOf(this.run, stepId);
    if (!isSingle(state) && !isMapped(state)) return undefined;
    const step = stepOf(this.definition, stepId);
    const { id, agentId } = await this.thingOf(stepId, item);
    try {
      const input = await this.inputOf(step, item);
      const parent: Parent = { type: 'run', runId: this.run.id, step: stepId, ...(item === undefined ? {} : { item }) };
      if (agentId === undefined)
        await startChild(this.deps, this.run, this.definition, step, id, input, parent, this.by);
      else await this.submit(step, state.startedMs, item, agentId, input, parent);
      return undefined;
    } catch (error) {
      const failure = failureOf(error);
      // Now: what ends without ever having begun leaves no word, by which its agent could be found after a crash.
      if (step.template !== undefined) await this.clean(stepId, item, id);
      return { step: stepId, item, id, status: 'failed', error: failure };
    }
  }

  private async inputOf(step: Step, item: number | undefined): Promise<unknown> {
    const otherwise = item === undefined ? '{% $run.input %}' : '{% $item %}';
    const template = step.input === undefined ? otherwise : step.input;
    const bindings = await this.values.bindings(template, this.run);
    if (item !== undefined)
      Object.assign(bindings, { index: item, item: (await this.reader(step.id).item(item)).item });
    const path = `steps.${step.id}.input${item === undefined ? '' : ` (item ${item})`}`;
    return evaluate(template, bindings, { path, nowMs: this.deps.now() });
  }

  private async submit(
    step: Step,
    startedMs: number,
    item: number | undefined,
    agentId: string,
    input: unknown,
    parent: Parent,
  ): Promise<void> {
    const { tenant } = this.run;
    if (step.template !== undefined) {
      const labels = { run: this.run.id, step: step.id };
      const command = { template: step.template, labels, start: false };
      await createAgent(this.deps, tenant, agentSeedOf(this.run, step.id, startedMs, item), command, this.by);
    }
    const command = {
      input,
      output: step.output,
      priority: 0,
      timeoutSeconds: step.timeoutSeconds,
      maxAttempts: step.maxAttempts,
      budget: step.budget,
      isOnlyTask: step.template !== undefined,
      onBusy: 'enqueue' as const,
      metadata: {},
      parent,
      exports: step.exports,
      imports: await this.importsFor(step),
    };
    await submitTask(this.deps, tenant, agentId, seedOf(this.run, step.id, startedMs, item), command, this.by);
  }

  /** The same for all items of a step. */
  private importsFor(step: Step): Promise<Import[] | undefined> {
    let imports = this.imports.get(step.id);
    if (!imports) {
      imports = importsOf(this.deps, this.run, this.definition, step);
      this.imports.set(step.id, imports);
    }
    return imports;
  }

  private async end(stepId: string, item: number | undefined): Promise<undefined> {
    const { id, agentId } = await this.thingOf(stepId, item);
    const force = this.run.ending?.force ?? false;
    if (agentId === undefined) return endChild(this.deps, this.run.tenant, id, force, this.by);
    try {
      await cancelTask(this.deps, this.run.tenant, id, this.by, { force });
    } catch (error) {
      // It has ended already, and word of it is on its way; or it was never submitted, which the next look finds out.
      if (!isRouseError(error, 'illegal_transition') && !isRouseError(error, 'not_found')) throw error;
    }
  }

  /** Terminates the fresh agent of what is over. */
  private async clean(stepId: string, item: number | undefined, id: string): Promise<undefined> {
    const state = stateOf(this.run, stepId);
    const startedMs = 'startedMs' in state ? state.startedMs : undefined;
    if (startedMs === undefined) return;
    const agentId = idOf('agent', agentSeedOf(this.run, stepId, startedMs, item));
    // Word of something that is not this step's.
    if (taskIdOf(this.run, stepId, startedMs, item, agentId) !== id) return;
    try {
      await terminateAgent(this.deps, this.run.tenant, agentId, this.by);
    } catch (error) {
      if (!isRouseError(error, 'not_found')) throw error;
    }
  }
}
