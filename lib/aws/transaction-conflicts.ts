import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** So often a call is made again that met a transaction at the same row; a transaction takes some milliseconds. */
const tries = 8;
const firstWaitMs = 10;

interface Chance {
  sleep: (ms: number) => Promise<unknown>;
  /** 0 to 1. */
  random: () => number;
}

/**
 * Lets a client make calls again that met a transaction of somebody else, which the SDK does not by itself: DynamoDB
 * refuses a write to a row of a transaction under way with TransactionConflictException, and a transaction that meets
 * another with TransactionCanceledException (DynamoDB Developer Guide, "Transaction conflict handling").
 */
export function withConflictRetries(client: DynamoDBDocumentClient, { sleep, random }: Chance): DynamoDBDocumentClient {
  const send = client.send.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const again = async (...args: unknown[]) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send(...args);
      } catch (error) {
        if (!isConflict(error) || attempt >= tries) throw error;
        await sleep(random() * firstWaitMs * 2 ** (attempt - 1));
      }
    }
  };
  client.send = again as typeof client.send;
  return client;
}

/** Nothing else was wrong: a condition that failed fails again. */
function isConflict(error: unknown): boolean {
  const { name, CancellationReasons = [] } = error as { name?: string; CancellationReasons?: { Code?: string }[] };
  if (name === 'TransactionConflictException') return true;
  const codes = CancellationReasons.map(({ Code }) => Code);
  return codes.includes('TransactionConflict') && !codes.includes('ConditionalCheckFailed');
}
