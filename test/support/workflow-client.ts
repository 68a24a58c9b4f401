import { Client, type EventResource } from './client.ts';
import type { TestStack } from './stack.ts';

export interface StepResource {
  status: string;
  statusReason: string | null;
  taskIds: string[];
  runIds: string[];
  agentId: string | null;
  items: { total: number; started: number; succeeded: number; failed: number } | null;
  output: unknown;
  outputUrl?: string;
  error: { code: string; message: string } | null;
  startedAt: string | null;
  finishedAt: string | null;
  copiedFrom: string | null;
}

export interface RunResource {
  id: string;
  version: number;
  status: string;
  statusReason: string | null;
  output: unknown;
  error: { code: string; message: string; step?: string } | null;
  rerunOf: string | null;
  steps: Record<string, StepResource>;
}

/** What the workflow tests say to the API, in few words. */
export class WorkflowClient extends Client {
  private readonly aws: TestStack;

  constructor(stack: TestStack) {
    super(stack);
    this.aws = stack;
  }

  putWorkflow(name: string, steps: unknown[], more: Record<string, unknown> = {}): Promise<{ version: number }> {
    return this.aws.call('PUT', `/v1/workflows/${name}`, { steps, ...more });
  }

  startRun(name: string, input: unknown = null): Promise<RunResource> {
    return this.aws.call('POST', `/v1/workflows/${name}/runs`, { input }, 202);
  }

  run(id: string): Promise<RunResource> {
    return this.aws.call('GET', `/v1/runs/${id}`);
  }

  /** Moves time until a run is over. */
  async runEnded(id: string, limitSeconds = 300): Promise<RunResource> {
    await this.aws.until(async () => (await this.run(id)).status !== 'running', limitSeconds, `the end of ${id}`);
    return this.run(id);
  }

  /** Moves time until a step of a run has a status. */
  async stepBecomes(id: string, step: string, status: string, limitSeconds = 120): Promise<RunResource> {
    const has = async () => (await this.run(id)).steps[step]?.status === status;
    await this.aws.until(has, limitSeconds, `the step ${step} being ${status}`);
    return this.run(id);
  }

  /** Starts a run of new steps and moves time until it is over. */
  async outcome(steps: unknown[], input: unknown = null, more: Record<string, unknown> = {}): Promise<RunResource> {
    await this.putWorkflow('flow', steps, more);
    return this.runEnded((await this.startRun('flow', input)).id);
  }

  async runEvents(id: string): Promise<EventResource[]> {
    const page = await this.aws.call<{ items: EventResource[] }>('GET', `/v1/events?runId=${id}&limit=200`);
    return page.items;
  }
}

export function statuses(run: RunResource): Record<string, string> {
  return Object.fromEntries(Object.entries(run.steps).map(([id, step]) => [id, step.status]));
}
