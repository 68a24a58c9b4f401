import type { InProcessStack } from './in-process-stack.ts';

export interface AgentResource {
  id: string;
  status: string;
  statusReason: string | null;
  held: boolean;
  runtime: { id: string; taskArn: string | null } | null;
  tasks: { queued: number; running: number };
  workspace: { generation: number } | null;
}

export interface TaskResource {
  id: string;
  status: string;
  output: unknown;
  attempt: number;
  failures: number;
  startedAt: string | null;
  finishedAt: string | null;
  error: { code: string; message: string } | null;
}

export interface EventResource {
  seq: number;
  type: string;
  time: string;
  taskId: string | null;
  data: Record<string, unknown>;
}

/** What the lifecycle tests say to the API, in few words. */
export class Client {
  private readonly stack: InProcessStack;

  constructor(stack: InProcessStack) {
    this.stack = stack;
  }

  async putTemplate(name: string, spec: Record<string, unknown> = {}): Promise<void> {
    await this.stack.call('PUT', `/v1/templates/${name}`, { driver: { type: 'command', command: ['cat'] }, ...spec });
  }

  createAgent(template: string, body: Record<string, unknown> = {}): Promise<AgentResource> {
    return this.stack.call('POST', '/v1/agents', { template, ...body }, 201);
  }

  agent(id: string): Promise<AgentResource> {
    return this.stack.call('GET', `/v1/agents/${id}`);
  }

  submit(agentId: string, input: unknown, body: Record<string, unknown> = {}): Promise<TaskResource> {
    return this.stack.call('POST', `/v1/agents/${agentId}/tasks`, { input, ...body }, 202);
  }

  task(id: string): Promise<TaskResource> {
    return this.stack.call('GET', `/v1/tasks/${id}`);
  }

  /** Moves time until an agent has this status. @returns the seconds that it took */
  becomes(agentId: string, status: string, limitSeconds = 120): Promise<number> {
    return this.stack.until(
      async () => (await this.agent(agentId)).status === status,
      limitSeconds,
      `${agentId} being ${status}`,
    );
  }

  reaches(taskId: string, status: string, limitSeconds = 120): Promise<number> {
    return this.stack.until(
      async () => (await this.task(taskId)).status === status,
      limitSeconds,
      `${taskId} being ${status}`,
    );
  }

  /** Moves time until a task has ended. */
  async ended(taskId: string, limitSeconds = 120): Promise<TaskResource> {
    const isEnd = (status: string) => !['queued', 'running', 'cancelling'].includes(status);
    await this.stack.until(async () => isEnd((await this.task(taskId)).status), limitSeconds, `the end of ${taskId}`);
    return this.task(taskId);
  }

  async events(agentId: string): Promise<EventResource[]> {
    const page = await this.stack.call<{ items: EventResource[] }>('GET', `/v1/events?agentId=${agentId}&limit=200`);
    return page.items;
  }

  async types(agentId: string): Promise<string[]> {
    return (await this.events(agentId)).map((event) => event.type);
  }

  /** The first event of a type. */
  async event(agentId: string, type: string): Promise<EventResource> {
    const found = (await this.events(agentId)).find((event) => event.type === type);
    if (!found) throw new Error(`No ${type} among ${(await this.types(agentId)).join(', ')}.`);
    return found;
  }
}
