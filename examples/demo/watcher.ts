import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type ApiEvent, ApiProblem, type LogLine, type Page } from './api.ts';

const eventWaitSeconds = 20;
const logWaitSeconds = 5;
/** How long a feed rests after an answer that can be tried again. */
const retryMs = 500;

export function isTaskEnd({ type }: ApiEvent): boolean {
  return /^task\.(succeeded|failed|cancelled|timed_out|expired)$/.test(type);
}

export interface Seen {
  event(event: ApiEvent): void;
  line(line: LogLine): void;
}

/** Follows the events and the log of one agent as they are recorded. */
export class Watcher {
  private readonly api: Api;
  private readonly agentId: string;
  private readonly seen: Seen;
  private readonly ended = new AbortController();
  private readonly events: ApiEvent[] = [];
  private readonly waiting = new Set<() => void>();
  private logCursor: string | null = null;
  private logWait = new AbortController();
  private logTurn: Promise<void> = Promise.resolve();
  private failure: unknown;

  constructor(api: Api, agentId: string, seen: Seen) {
    this.api = api;
    this.agentId = agentId;
    this.seen = seen;
    for (const feed of [this.followEvents(), this.followLog()]) {
      feed.catch((error: unknown) => {
        if (this.ended.signal.aborted) return;
        this.failure = error;
        this.tell();
      });
    }
  }

  /** Resolves with the first event that matches, whether it comes or has come. @throws Error when the time is up */
  async until(what: string, matches: (event: ApiEvent) => boolean, limitSeconds: number): Promise<ApiEvent> {
    const limit = AbortSignal.timeout(limitSeconds * 1000);
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      const found = this.events.find(matches);
      if (found) return found;
      if (this.ended.signal.aborted) throw new Error(`The demo ended before ${what}.`);
      if (limit.aborted) throw new Error(`After ${limitSeconds} s there is still no sign of ${what}.`);
      await new Promise<void>((resolve) => {
        this.waiting.add(resolve);
        limit.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  end(): void {
    this.ended.abort();
    this.tell();
  }

  /** Reads what the log has now. */
  private async catchUp(): Promise<void> {
    this.logWait.abort();
    await this.logTurn;
  }

  private async followEvents(): Promise<void> {
    let cursor: string | null = null;
    while (!this.ended.signal.aborted) {
      const page: Page<ApiEvent> = await this.read<ApiEvent>(
        `/v1/events?agentId=${this.agentId}`,
        cursor,
        eventWaitSeconds,
        this.ended.signal,
      );
      cursor = page.nextCursor ?? cursor;
      for (const event of page.items) {
        // A task's lines are written before its end: they are told before it, too.
        if (isTaskEnd(event)) await this.catchUp();
        this.seen.event(event);
        this.events.push(event);
      }
      if (page.items.length > 0) this.tell();
    }
  }

  private async followLog(): Promise<void> {
    while (!this.ended.signal.aborted) {
      this.logWait = new AbortController();
      const { signal } = this.logWait;
      const turn = this.readLog(logWaitSeconds, AbortSignal.any([signal, this.ended.signal]))
        .catch((error: unknown) => {
          if (!signal.aborted) throw error;
        })
        // Whoever cut the wait short wants what there is now.
        .then(() => (signal.aborted ? this.readLog(0, this.ended.signal) : undefined));
      this.logTurn = turn.catch(() => {});
      await turn;
    }
  }

  private async readLog(waitSeconds: number, signal: AbortSignal): Promise<void> {
    const path = `/v1/agents/${this.agentId}/logs`;
    const page = await this.read<LogLine>(path, this.logCursor, waitSeconds, signal);
    this.logCursor = page.nextCursor ?? this.logCursor;
    for (const line of page.items) this.seen.line(line);
  }

  /** A feed survives an answer of the 5xx kind, as any client should. */
  private async read<Item>(path: string, after: string | null, waitSeconds: number, signal: AbortSignal) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.api.feed<Item>(path, after, waitSeconds, signal);
      } catch (error) {
        if (!(error instanceof ApiProblem) || error.status < 500 || tries === 5) throw error;
        await sleep(retryMs, undefined, { signal });
      }
    }
  }

  private tell(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
