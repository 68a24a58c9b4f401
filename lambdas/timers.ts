import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { eachRecord } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';
import { readNudge } from './nudge.ts';

/** timers → work.fifo: a nudge whose time has come. FIFO queues know no delay of a message, so it waited here. */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> =>
    eachRecord(event, deps.log, (record) => deps.queues.nudge([readNudge(record)]));
}

export const handler = wrapped('timers', makeHandler);
