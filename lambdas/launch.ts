import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { launch } from '../lib/app/launch.ts';
import { isId } from '../lib/domain/id.ts';
import { eachRecordPaced, parsed } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/**
 * launches.fifo → RunTask. The queue has one group, so one of these runs at a time and keeps the rate of the whole
 * deployment: launches begin in the order in which they were decided, 50 ms apart (AWS starts 20 Fargate tasks a second,
 * sustained; aws-facts 1.2) unless the deployment wants fewer. One that is throttled comes again.
 */
export function makeHandler(deps: FunctionDeps) {
  const spacingMs = 1000 / deps.config.launchesPerSecond;
  let nextMs = 0;
  return async (event: SQSEvent): Promise<SQSBatchResponse> => {
    // The batch before this one has used up its share of the second.
    if (nextMs > deps.now()) await deps.sleep(nextMs - deps.now());
    nextMs = deps.now() + event.Records.length * spacingMs;
    return eachRecordPaced(event, deps, spacingMs, async (record) => {
      const { tenant, runtimeId } = parsed(record, ({ tenant, runtimeId }) =>
        typeof tenant === 'string' && typeof runtimeId === 'string' && isId('runtime', runtimeId)
          ? { tenant, runtimeId }
          : undefined,
      );
      await launch(deps, tenant, runtimeId, record.messageId);
    });
  };
}

export const handler = wrapped('launch', makeHandler);
