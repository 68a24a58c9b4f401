import { setTimeout as sleep } from 'node:timers/promises';
import type { StartedStack } from '../local/start/stack.ts';
import type { TaskTimes, Watcher } from './watcher.ts';

/** A day: nothing of the benchmark pauses unless it is meant to. */
const neverIdleSeconds = 86_400;
/** Agents that start at once: each is a new process, which a machine of two cores has to start besides all else. */
const atOnce = 5;

/** The driver does next to nothing, so what is measured is all Rouse. */
export const warmTemplate = {
  driver: { type: 'command', command: ['true'] },
  idleTimeoutSeconds: neverIdleSeconds,
  workspace: { enabled: false },
};

/** A client of the stack: every call is a plain `fetch`, as a user's would be. */
export class Fleet {
  readonly signal: AbortSignal;
  private readonly stack: StartedStack;
  private readonly watcher: Watcher;

  /** @param signal ends whatever is waited for */
  constructor(stack: StartedStack, watcher: Watcher, signal: AbortSignal) {
    this.stack = stack;
    this.watcher = watcher;
    this.signal = signal;
  }

  async putTemplate(name: string, spec: object): Promise<void> {
    await this.call('PUT', `/v1/templates/${name}`, spec);
  }

  /** Agents that have done a task each, and wait for a ring. */
  async warmAgents(template: string, count: number): Promise<string[]> {
    const ids: string[] = [];
    while (ids.length < count) {
      const some = Array.from({ length: Math.min(atOnce, count - ids.length) }, () => this.warmAgent(template));
      ids.push(...(await Promise.all(some)));
    }
    await this.quiet();
    return ids;
  }

  private async warmAgent(template: string): Promise<string> {
    const id = await this.createAgent(template);
    await this.run(id);
    await this.watcher.until(id, (agent) => agent.waiting, this.signal);
    return id;
  }

  async createAgent(template: string): Promise<string> {
    return (await this.call<{ id: string }>('POST', '/v1/agents', { template })).id;
  }

  /** @returns the task's id */
  async submit(agentId: string, headers: Record<string, string> = {}): Promise<string> {
    const body = { input: 'Nothing to do.' };
    return (await this.call<{ id: string }>('POST', `/v1/agents/${agentId}/tasks`, body, headers)).id;
  }

  /** Submits a task and waits until its agent is done with it. */
  async run(agentId: string, headers: Record<string, string> = {}): Promise<TaskTimes & { submittedMs: number }> {
    const submittedMs = performance.now();
    const taskId = await this.submit(agentId, headers);
    return { ...(await this.watcher.finished(taskId, this.signal)), submittedMs };
  }

  /** Terminates an agent, so that it idles among nothing that is counted later. */
  async remove(agentId: string): Promise<void> {
    await this.call('DELETE', `/v1/agents/${agentId}`);
    await this.watcher.until(agentId, ({ status }) => status === 'terminated', this.signal);
    await this.quiet(500);
  }

  async get<Answer>(path: string): Promise<Answer> {
    return this.call('GET', path);
  }

  /** Resolves when nothing has been under way in the stack for a while. */
  async quiet(forMs = 40): Promise<void> {
    await this.stack.aws.settled();
    await sleep(forMs, undefined, { signal: this.signal });
    await this.stack.aws.settled();
  }

  async call<Answer>(
    method: string,
    path: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await fetch(new URL(path, this.stack.apiUrl), {
      method,
      headers: {
        authorization: `Bearer ${this.stack.apiKey}`,
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: this.signal,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  }
}
