import { setTimeout as sleep } from 'node:timers/promises';

export interface AgentResource {
  id: string;
  template: string;
  status: string;
  statusReason: string | null;
  runtime: { id: string; taskArn: string | null } | null;
  tasks: { queued: number; running: number };
  workspace: { generation: number; bytes: number } | null;
}

export interface TaskResource {
  id: string;
  status: string;
  statusReason: string | null;
  error: { code: string; message: string } | null;
  output: unknown;
  outputUrl?: string;
  inputUrl?: string;
  progress: unknown;
  attempt: number;
  failures: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface EventResource {
  seq: number;
  type: string;
  time: string;
  taskId: string | null;
  data: Record<string, unknown>;
}

export interface ProblemResource {
  status: number;
  code: string;
  title: string;
  detail: string;
  requestId: string;
  issues?: { path: string; message: string }[];
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

/** Local final states take this long at most, on a machine that is busy with other things. */
const localPatienceMs = 25_000;
const longestWaitSeconds = 20;
let names = 0;

/** What curl would do: plain HTTP to the API of a started stack, with its key. */
export class ApiClient {
  readonly apiUrl: string;
  readonly apiKey: string;
  private readonly patienceMs: number;
  private readonly made: AgentResource[] = [];

  constructor({ apiUrl, apiKey }: { apiUrl: string; apiKey: string }, patienceMs = localPatienceMs) {
    this.apiUrl = apiUrl;
    this.apiKey = apiKey;
    this.patienceMs = patienceMs;
  }

  /** A string as `body` is sent as it is. */
  async request<T = ProblemResource>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as T,
    };
  }

  /** @throws Error unless the answer is a 2xx */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request<T>(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  /** An agent of a template of its own. */
  async agent(template: object, agent: object = {}): Promise<AgentResource> {
    const name = `t${++names}-${process.pid}-${Date.now().toString(36)}`;
    await this.call('PUT', `/v1/templates/${name}`, template);
    const made = await this.call<AgentResource>('POST', '/v1/agents', { template: name, ...agent });
    this.made.push(made);
    return made;
  }

  /** Terminates all agents that {@link agent} has made. */
  async terminateAll(): Promise<void> {
    await Promise.all(this.made.splice(0).map(({ id }) => this.request('DELETE', `/v1/agents/${id}`)));
  }

  /** An agent that runs `script` by sh for each task. */
  shell(script: string, template: object = {}): Promise<AgentResource> {
    return this.agent({ driver: { type: 'command', command: ['sh', '-c', script] }, ...template });
  }

  submit(agent: { id: string }, input: unknown, more: object = {}): Promise<TaskResource> {
    return this.call('POST', `/v1/agents/${agent.id}/tasks`, { input, ...more });
  }

  task({ id }: { id: string }): Promise<TaskResource> {
    return this.call('GET', `/v1/tasks/${id}`);
  }

  agentNow({ id }: { id: string }): Promise<AgentResource> {
    return this.call('GET', `/v1/agents/${id}`);
  }

  /** @throws Error when the task has no final state in time */
  async finished({ id }: { id: string }): Promise<TaskResource> {
    const limitMs = Date.now() + this.patienceMs;
    for (;;) {
      const task = await this.call<TaskResource>('GET', `/v1/tasks/${id}?waitSeconds=${longestWaitSeconds}`);
      if (task.finishedAt) return task;
      if (Date.now() >= limitMs) throw new Error(`The task is still ${task.status} (${task.statusReason}).`);
    }
  }

  /** Submits and waits for the final state. */
  async run(agent: { id: string }, input: unknown, more: object = {}): Promise<TaskResource> {
    return this.finished(await this.submit(agent, input, more));
  }

  async events({ id }: { id: string }): Promise<EventResource[]> {
    return (await this.call<{ items: EventResource[] }>('GET', `/v1/events?agentId=${id}&limit=200`)).items;
  }

  /** The events of an agent, once one of `type` is among them for each of `tasks`: they are recorded a moment later. */
  eventsWith(agent: { id: string }, type: string, tasks: { id: string }[]): Promise<EventResource[]> {
    return this.until(
      `${type} of ${tasks.length} tasks`,
      () => this.events(agent),
      (events) => tasks.every(({ id }) => events.some((event) => event.type === type && event.taskId === id)),
    );
  }

  async lines(agent: { id: string }, task?: { id: string }): Promise<string[]> {
    const filter = task ? `?taskId=${task.id}&limit=200` : '?limit=200';
    const { items } = await this.call<{ items: { line: string }[] }>('GET', `/v1/agents/${agent.id}/logs${filter}`);
    return items.map(({ line }) => line);
  }

  /** Reads until `isThere`; the read that showed it is the answer. */
  async until<T>(what: string, read: () => Promise<T> | T, isThere: (found: T) => unknown): Promise<T> {
    const limitMs = Date.now() + this.patienceMs;
    for (;;) {
      const found = await read();
      if (isThere(found)) return found;
      if (Date.now() > limitMs) throw new Error(`${what} did not happen; the last look: ${JSON.stringify(found)}`);
      await sleep(25);
    }
  }

  async untilStatus(agent: { id: string }, status: string): Promise<AgentResource> {
    return this.until(
      `"${status}"`,
      () => this.agentNow(agent),
      (now) => now.status === status,
    );
  }
}
