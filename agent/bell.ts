import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { BrokeredCredentials } from './protocol.ts';

export interface BellDependencies {
  queueUrl: string;
  region: string;
  endpointUrl: string | undefined;
  credentials: () => BrokeredCredentials;
  clock: Clock;
  log: Log;
  onRing: () => void;
}

/**
 * Listens to the bell by long polls of 20 s until the signal aborts. Failures are waited out, never thrown: losing a
 * ring is harmless, since an idle shim claims every 30 s anyway.
 */
export async function listenToBell(deps: BellDependencies, signal: AbortSignal): Promise<void> {
  // Loaded here so that the first claim does not wait for the SDK.
  const { SQSClient, ReceiveMessageCommand } = await import('@aws-sdk/client-sqs');
  const sqs = new SQSClient({
    region: deps.region,
    ...(deps.endpointUrl ? { endpoint: deps.endpointUrl } : {}),
    credentials: async () => sdkCredentials(deps.credentials()),
    maxAttempts: 1,
    // Rings have no content that could be damaged.
    md5: false,
  });
  let failures = 0;
  while (!signal.aborted) {
    try {
      const { Messages: rings = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: deps.queueUrl, WaitTimeSeconds: 20, MaxNumberOfMessages: 10 }),
        { abortSignal: signal },
      );
      failures = 0;
      if (rings.length === 0) continue;
      // A ring is not deleted: once heard it stays hidden for longer than the bell keeps it.
      deps.onRing();
    } catch (error) {
      if (signal.aborted) break;
      failures++;
      // One line a run of failures: an outage of an hour must not fill the log.
      if (failures === 1) deps.log.error('the bell cannot be heard; trying on', { error });
      await deps.clock.sleep(backoffMs(failures), signal);
    }
  }
  sqs.destroy();
}

/** In the SDK's shape. The expiration makes the SDK ask again before it is over. */
export function sdkCredentials(credentials: BrokeredCredentials) {
  return { ...credentials, expiration: new Date(credentials.expiration) };
}
