import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { BrokeredCredentials } from './protocol.ts';

export interface BellDependencies {
  queueUrl: string;
  region: string;
  endpointUrl: string | undefined;
  clock: Clock;
  log: Log;
}

/** Whoever listens now: a standby, and later the agent that has taken it over. */
export interface Ear {
  credentials: () => BrokeredCredentials;
  onRing: () => void;
}

/**
 * The bell of a runtime, heard by long polls of 20 s. Failures are waited out, never thrown: losing a ring is harmless,
 * since an idle shim claims every 30 s anyway.
 */
export class Bell {
  readonly #deps: BellDependencies;
  readonly #closed = new AbortController();
  #ear: Ear | null = null;

  constructor(deps: BellDependencies) {
    this.#deps = deps;
  }

  /**
   * From now on rings are for `ear`. The poll that is under way goes on: SQS gives the next message to a poll that was
   * given up, too, and that ring would be lost (aws-sdk-js issue 2350, aws-sdk-java issue 2083).
   */
  hear(ear: Ear): void {
    const isFirst = this.#ear === null;
    this.#ear = ear;
    if (isFirst && !this.#closed.signal.aborted) void this.#listen(ear);
  }

  get isListening(): boolean {
    return this.#ear !== null;
  }

  close(): void {
    this.#closed.abort();
  }

  async #listen(first: Ear): Promise<void> {
    const { queueUrl, region, endpointUrl, clock, log } = this.#deps;
    const { signal } = this.#closed;
    const ear = () => this.#ear ?? first;
    // Loaded here so that the first claim does not wait for the SDK.
    const { SQSClient, ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
    const sqs = new SQSClient({
      region,
      ...(endpointUrl ? { endpoint: endpointUrl } : {}),
      credentials: async () => sdkCredentials(ear().credentials()),
      maxAttempts: 1,
      // Rings have no content that could be damaged.
      md5: false,
    });
    let failures = 0;
    while (!signal.aborted) {
      try {
        const { Messages: rings = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 }),
          { abortSignal: signal },
        );
        failures = 0;
        // A ring is not deleted: once heard it stays hidden for longer than the bell keeps it.
        if (rings.length > 0) ear().onRing();
      } catch (error) {
        if (signal.aborted) break;
        failures++;
        // One line a run of failures: an outage of an hour must not fill the log.
        if (failures === 1) log.error('the bell cannot be heard; trying on', { error });
        await clock.sleep(backoffMs(failures), signal);
      }
    }
    sqs.destroy();
  }
}

/** In the SDK's shape. The expiration makes the SDK ask again before it is over. */
export function sdkCredentials(credentials: BrokeredCredentials) {
  return { ...credentials, expiration: new Date(credentials.expiration) };
}
