/** As much of the HTTP API as the demo needs: every call is a plain `fetch`. */

export interface ApiEvent {
  id: string;
  type: string;
  time: string;
  taskId: string | null;
  data: Record<string, unknown>;
}

export interface LogLine {
  time: string;
  stream: string;
  line: string;
  taskId: string;
}

export interface Task {
  id: string;
  status: string;
  output: unknown;
  error: { code: string; message: string } | null;
  usage: { wallSeconds: number; costUsd: number } | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface Agent {
  id: string;
  status: string;
  statusReason: string | null;
  workspace: { generation: number; bytes: number } | null;
}

interface Upload {
  ref: string;
  url: string;
  headers: Record<string, string>;
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** An answer of the API that is not the one that was hoped for: its problem, in its own words. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string | undefined;

  constructor(call: string, status: number, problem: { code?: string; detail?: string }) {
    super(`${call} was answered with ${status} ${problem.code ?? ''}: ${problem.detail ?? 'no reason was given'}`);
    this.status = status;
    this.code = problem.code;
  }
}

export class Api {
  private readonly origin: string;
  private readonly key: string;
  private readonly signal: AbortSignal;

  /** @param signal ends whatever is under way */
  constructor(origin: string, key: string, signal: AbortSignal) {
    this.origin = origin;
    this.key = key;
    this.signal = signal;
  }

  putTemplate(name: string, spec: object): Promise<{ name: string; version: number }> {
    return this.call('PUT', `/v1/templates/${name}`, spec);
  }

  deleteTemplate(name: string): Promise<void> {
    return this.call('DELETE', `/v1/templates/${name}`);
  }

  createAgent(template: string, name: string): Promise<Agent> {
    return this.call('POST', '/v1/agents', { template, name });
  }

  agent(id: string): Promise<Agent> {
    return this.call('GET', `/v1/agents/${id}`);
  }

  deleteAgent(id: string): Promise<Agent> {
    return this.call('DELETE', `/v1/agents/${id}`);
  }

  submit(agentId: string, task: object): Promise<Task> {
    return this.call('POST', `/v1/agents/${agentId}/tasks`, task);
  }

  task(id: string): Promise<Task> {
    return this.call('GET', `/v1/tasks/${id}`);
  }

  /** Stores what is too large for a request (over 1 MiB); the answer is what a task takes as its input. */
  async upload(bytes: Uint8Array<ArrayBuffer>): Promise<{ $ref: string }> {
    const { ref, url, headers } = await this.call<Upload>('POST', '/v1/uploads', {
      sizeBytes: bytes.length,
      contentType: 'application/json',
    });
    const answer = await fetch(url, { method: 'PUT', headers, body: bytes, signal: this.signal });
    if (!answer.ok) throw new ApiProblem('PUT of the upload', answer.status, { detail: await answer.text() });
    return { $ref: ref };
  }

  /** What is new in a feed after a cursor; waits up to `waitSeconds` for something. */
  feed<Item>(path: string, after: string | null, waitSeconds: number, signal?: AbortSignal): Promise<Page<Item>> {
    const url = new URL(path, this.origin);
    url.searchParams.set('waitSeconds', String(waitSeconds));
    if (after !== null) url.searchParams.set('after', after);
    return this.call('GET', url.pathname + url.search, undefined, signal);
  }

  private async call<Answer>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<Answer> {
    const answer = await fetch(new URL(path, this.origin), {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([this.signal, signal]) : this.signal,
    });
    const text = await answer.text();
    if (!answer.ok) throw new ApiProblem(`${method} ${path}`, answer.status, parse(text));
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }
}

function parse(text: string): { code?: string; detail?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text.slice(0, 200) };
  }
}
