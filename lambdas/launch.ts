import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { launch } from '../lib/app/launch.ts';
import { isId } from '../lib/domain/id.ts';
import { eachRecordPaced, parsed } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/** AWS starts 20 Fargate tasks a second, sustained (aws-facts 1.2). */
const launchesPerSecond = 20;

/**
 * launches.fifo → RunTask. The queue has one group, so one of these runs at a time and keeps AWS's rate for the whole
 * deployment: launches begin in the order in which they were decided, 50 ms apart. One that is throttled comes again.
 */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> =>
    eachRecordPaced(event, deps, 1000 / launchesPerSecond, async (record) => {
      const { tenant, runtimeId } = parsed(record, ({ tenant, runtimeId }) =>
        typeof tenant === 'string' && typeof runtimeId === 'string' && isId('runtime', runtimeId)
          ? { tenant, runtimeId }
          : undefined,
      );
      await launch(deps, tenant, runtimeId, record.messageId);
    });
}

export const handler = wrapped('launch', makeHandler);
