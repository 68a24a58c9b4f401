import { type Bindings, stepsReadBy } from '../../domain/expression.ts';
import { isDone, type Run, stateOf } from '../../domain/run.ts';
import type { Definition } from '../../domain/workflow.ts';
import type { Deps } from '../deps.ts';
import { readValue } from './values.ts';

/**
 * What the expressions of a run see: `$run`, and of `$steps` the outputs that a template names. Each output is read
 * once, when the first template wants it.
 */
export class RunValues {
  private readonly deps: Deps;
  private readonly run: Run;
  private readonly definition: Definition;
  private readonly outputs = new Map<string, Promise<unknown>>();
  private input: Promise<unknown> | undefined;

  constructor(deps: Deps, run: Run, definition: Definition) {
    this.deps = deps;
    this.run = run;
    this.definition = definition;
  }

  /** @param now the run as it is now: steps may have ended since */
  async bindings(template: unknown, now: Run = this.run): Promise<Bindings> {
    const reads = stepsReadBy(template);
    const names = reads.any ? this.definition.steps.map((step) => step.id) : [...reads.names];
    const steps = await Promise.all(names.map(async (name) => [name, await this.step(now, name)] as const));
    this.input ??= readValue(this.deps, now.tenant, now.input);
    const { id, workflow, workflowVersion, createdMs, rerunOf } = now;
    return {
      run: {
        id,
        workflow,
        version: workflowVersion,
        input: await this.input,
        startedAt: new Date(createdMs).toISOString(),
        rerunOf: rerunOf ?? null,
      },
      steps: Object.fromEntries(steps),
    };
  }

  private async step(now: Run, name: string): Promise<unknown> {
    const state = stateOf(now, name);
    if (!isDone(state)) return { status: state.status, output: null, error: null };
    const { status, error } = state;
    let output = this.outputs.get(name);
    if (!output) {
      output = state.output ? readValue(this.deps, now.tenant, state.output) : Promise.resolve(null);
      this.outputs.set(name, output);
    }
    return { status, output: await output, error: error ? { code: error.code, message: error.message } : null };
  }
}
