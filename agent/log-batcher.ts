import type { Clock } from './clock.ts';
import { fitLine } from './line-splitter.ts';
import type { Json, LogLine } from './protocol.ts';

/** One call carries at most this. */
const mostLines = 500;
const mostBytes = 256 * 1024;
/** What a line costs besides its text: time, stream and JSON around it. */
const lineOverheadBytes = 80;
/** What one attempt may log, counted as text plus 32 bytes a line so that empty lines have an end too. */
const attemptBytes = 5 * 1024 * 1024;
const spacingMs = 1_000;

export interface LogBatcher {
  /** Adds a line; false when no more lines are kept. */
  line(stream: LogLine['stream'], text: string): boolean;
  progress(value: Json): void;
  /** Sends all there is, in order. Rejects when a send does. */
  flush(): Promise<void>;
  /** Sends all but the last lines, which it hands over: the call that ends the task takes them along. */
  rest(): Promise<LogLine[]>;
  /** From here on nothing is sent and nothing kept. */
  drop(): void;
}

/**
 * Collects a task's log lines and progress and sends them in order, at most once a second; `flush` does not wait for
 * the second. A failed send from the timer goes to `onError`, and its lines are kept for the next one.
 */
export function makeLogBatcher(
  send: (lines: LogLine[], progress: { progress?: Json }) => Promise<unknown>,
  clock: Clock,
  onError: (error: unknown) => void,
): LogBatcher {
  let waiting: LogLine[] = [];
  let latest: { progress?: Json } = {};
  let countedBytes = 0;
  let full = false;
  let scheduled = false;
  let sending: Promise<void> = Promise.resolve();
  const dropped = new AbortController();

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    void clock.sleep(spacingMs, dropped.signal).then(async () => {
      scheduled = false;
      if (!dropped.signal.aborted) await flush().catch(onError);
      // A send that failed leaves lines behind, and no new one may ever come.
      if (waiting.length > 0) schedule();
    });
  }

  /** Sends what is there, and stops before the last batch if `keepLast`. */
  async function drain(keepLast = false): Promise<void> {
    while (!dropped.signal.aborted && (waiting.length > 0 || 'progress' in latest)) {
      const batch = firstBatch(waiting);
      if (keepLast && batch.length === waiting.length && !('progress' in latest)) return;
      const progress = latest;
      await send(batch, progress);
      waiting = waiting.slice(batch.length);
      if (latest === progress) latest = {};
    }
  }

  function flush(): Promise<void> {
    return inTurn(() => drain());
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const turn = sending.then(work);
    sending = turn.catch(() => {});
    return turn;
  }

  function add(stream: LogLine['stream'], line: string): void {
    waiting.push({ time: new Date(clock.now()).toISOString(), stream, line });
    schedule();
  }

  return {
    line(stream, text) {
      if (full || dropped.signal.aborted) return false;
      const line = fitLine(text);
      countedBytes += Buffer.byteLength(line) + 32;
      full = countedBytes > attemptBytes;
      if (full) add('system', 'The log of this attempt has reached 5 MiB; what follows is not kept.');
      else add(stream, line);
      return !full;
    },
    progress(value) {
      if (dropped.signal.aborted) return;
      latest = { progress: value };
      schedule();
    },
    flush,
    async rest() {
      await inTurn(() => drain(true));
      const last = waiting;
      waiting = [];
      return last;
    },
    drop() {
      dropped.abort();
      waiting = [];
      latest = {};
    },
  };
}

function firstBatch(lines: LogLine[]): LogLine[] {
  let bytes = 0;
  let count = 0;
  for (const { line } of lines) {
    bytes += Buffer.byteLength(JSON.stringify(line)) + lineOverheadBytes;
    if (count === mostLines || (count > 0 && bytes > mostBytes)) break;
    count++;
  }
  return lines.slice(0, count);
}
