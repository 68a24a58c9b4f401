import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { eachRecord } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';
import { readNudge } from './nudge.ts';

/**
 * triggers → work.fifo: the time of a schedule has come, says EventBridge Scheduler, at least once and at most about a
 * minute late. The schedule is looked at like anything else: what is due is decided from its head, so a delivery that
 * comes twice, late, or for what is no more decides nothing. One that is lost is found by the due time.
 */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> =>
    eachRecord(event, deps.log, (record) => deps.queues.nudge([readNudge(record)]));
}

export const handler = wrapped('trigger', makeHandler);
