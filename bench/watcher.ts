import { EventEmitter, once } from 'node:events';
import type { EmbeddedAws } from '../local/embedded-aws.ts';
import type { StreamRecord } from '../local/services/dynamodb/service.ts';

/** When what happened to a task, in milliseconds of `performance.now()`; of the writes that committed it. */
export interface TaskTimes {
  queuedMs: number;
  startedMs: number;
  finishedMs: number;
}

/** Sees tasks and agents change by their writes in the state table, so that watching asks nothing of the API. */
export class Watcher {
  /** Tasks whose row was written. */
  accepted = 0;
  private readonly times = new Map<string, Partial<TaskTimes>>();
  private readonly changes = new EventEmitter<{ finished: [taskId: string, agentId: string]; agent: [] }>();
  private readonly agents = new Map<string, { status: string; waiting: boolean }>();

  constructor(aws: EmbeddedAws) {
    this.changes.setMaxListeners(0);
    aws.dynamodb.onStreamRecord((_table, record) => this.see(record));
  }

  /** The status of an agent, and whether its shim waits for a ring. */
  agent(agentId: string): { status: string; waiting: boolean } | undefined {
    return this.agents.get(agentId);
  }

  onFinished(listener: (taskId: string, agentId: string) => void): () => void {
    this.changes.on('finished', listener);
    return () => this.changes.off('finished', listener);
  }

  /** The times of a task, once it has ended. */
  async finished(taskId: string, signal: AbortSignal): Promise<TaskTimes> {
    while (this.times.get(taskId)?.finishedMs === undefined) await once(this.changes, 'finished', { signal });
    return this.times.get(taskId) as TaskTimes;
  }

  /** Resolves when an agent is as wanted. */
  async until(
    agentId: string,
    isWanted: (agent: { status: string; waiting: boolean }) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const agent = this.agents.get(agentId);
      if (agent && isWanted(agent)) return;
      await once(this.changes, 'agent', { signal });
    }
  }

  private see({ eventName, dynamodb }: StreamRecord): void {
    const { Keys, NewImage } = dynamodb;
    const sk = text(Keys.sk);
    const status = text(NewImage?.status);
    if (!NewImage || status === undefined) return;
    const id = text(NewImage.id) ?? '';
    if (sk === 'head') {
      this.agents.set(id, { status, waiting: (NewImage.waiting as { BOOL?: boolean } | undefined)?.BOOL === true });
      this.changes.emit('agent');
    } else if (sk?.startsWith('live#')) this.seeTask(id, text(NewImage.agentId) ?? '', status, eventName === 'INSERT');
  }

  private seeTask(id: string, agentId: string, status: string, isNew: boolean): void {
    const times = this.times.get(id) ?? {};
    this.times.set(id, times);
    const nowMs = performance.now();
    if (isNew) {
      times.queuedMs = nowMs;
      this.accepted += 1;
    }
    if (status === 'running') times.startedMs ??= nowMs;
    if (status === 'succeeded') {
      times.finishedMs ??= nowMs;
      this.changes.emit('finished', id, agentId);
    } else if (!['queued', 'running'].includes(status)) {
      throw new Error(`Task ${id} of the benchmark is ${status}; all of them should succeed.`);
    }
  }
}

function text(value: unknown): string | undefined {
  return (value as { S?: string } | undefined)?.S;
}
