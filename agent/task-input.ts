import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { describeError } from './log.ts';
import type { ClaimedTask, Failure, Json } from './protocol.ts';

/** Reads a task's input: it came with the task, or lies in S3. Broken connections and S3's own failures are tried again. */
export async function readInput(
  { input, inputUrl }: ClaimedTask,
  fetchUrl: typeof fetch,
  driver: 'command' | 'module',
  clock: Clock,
  signal: AbortSignal,
): Promise<{ input: Json | Buffer } | { failure: Failure }> {
  if (inputUrl === undefined) return { input: input ?? null };
  const unavailable = (why: string) => ({
    failure: { code: 'input_unavailable', message: `The task's input could not be read from S3: ${why}.` },
  });
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetchUrl(inputUrl, { signal });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.ok) {
        // A program gets the bytes as they are stored; only a module needs to know whether they are JSON.
        if (driver === 'command') return { input: body };
        return { input: asValue(body.toString('utf8'), response.headers.get('content-type')) };
      }
      if (response.status < 500 || tries === 4) return unavailable(`HTTP ${response.status}`);
    } catch (error) {
      if (tries === 4 || signal.aborted) return unavailable(describeError(error));
    }
    await clock.sleep(backoffMs(tries), signal);
  }
}

/** Large inputs are all stored as JSON by name, but a string is stored as it is. */
function asValue(text: string, contentType: string | null): Json {
  if (!contentType?.includes('json')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
