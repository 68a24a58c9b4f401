import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { launch } from '../lib/app/launch.ts';
import { isId } from '../lib/domain/id.ts';
import { eachRecord, parsed } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/** AWS starts 20 Fargate tasks a second, sustained (aws-facts 1.2). */
const launchesPerSecond = 20;

/**
 * launches.fifo → RunTask. The queue has one group, so one of these runs at a time and keeps AWS's rate for the whole
 * deployment; launches happen in the order in which they were decided. A throttled call goes back to the front.
 */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> =>
    eachRecord(event, deps.log, async (record) => {
      const { tenant, runtimeId } = parsed(record, ({ tenant, runtimeId }) =>
        typeof tenant === 'string' && typeof runtimeId === 'string' && isId('runtime', runtimeId)
          ? { tenant, runtimeId }
          : undefined,
      );
      const beganMs = deps.now();
      const result = await launch(deps, tenant, runtimeId, record.messageId);
      const spareMs = 1000 / launchesPerSecond - (deps.now() - beganMs);
      // The last of a batch is paced too: the next batch may follow at once.
      if (result !== 'not_wanted' && spareMs > 0) await deps.sleep(spareMs);
    });
}

export const handler = wrapped('launch', makeHandler);
