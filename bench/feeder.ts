import { EventEmitter, once } from 'node:events';
import type { Fleet } from './fleet.ts';
import type { Watcher } from './watcher.ts';

/** Submits that a client has under way at once; the others wait for their turn. */
const mostSubmits = 64;

/** Submits another task for an agent whenever one of its tasks has ended. */
export class Feeder {
  finished = 0;
  private readonly fleet: Fleet;
  private readonly progress = new EventEmitter<{ step: [] }>();
  private readonly stopWatching: () => void;
  private readonly waiting: string[] = [];
  private submitted = 0;
  private given = 0;
  private submitting = 0;
  private feeding = true;
  private failure: unknown;

  constructor(fleet: Fleet, watcher: Watcher) {
    this.fleet = fleet;
    this.stopWatching = watcher.onFinished((_taskId, agentId) => {
      this.finished += 1;
      if (this.feeding) this.feed(agentId);
      this.progress.emit('step');
    });
  }

  feed(agentId: string): void {
    this.given += 1;
    this.waiting.push(agentId);
    this.submitNext();
  }

  /** Resolves when so many tasks have been accepted, and so many have ended. */
  async until(submitted: number, finished: number): Promise<void> {
    while (this.submitted < submitted || this.finished < finished) {
      if (this.failure !== undefined) throw this.failure;
      await once(this.progress, 'step', { signal: this.fleet.signal });
    }
  }

  /** Submits no more, and resolves when all have ended. */
  async drain(): Promise<void> {
    this.feeding = false;
    await this.until(this.given, this.given);
    this.stopWatching();
  }

  private submitNext(): void {
    if (this.submitting >= mostSubmits) return;
    const agentId = this.waiting.shift();
    if (agentId === undefined) return;
    this.submitting += 1;
    void this.submit(agentId).finally(() => {
      this.submitting -= 1;
      this.progress.emit('step');
      this.submitNext();
    });
  }

  private async submit(agentId: string): Promise<void> {
    try {
      await this.fleet.submit(agentId);
      this.submitted += 1;
    } catch (error) {
      this.failure ??= error;
    }
  }
}
