import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { lookAt } from '../lib/app/look.ts';
import { subjectOf } from '../lib/domain/head.ts';
import { eachRecord } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';
import { readNudge } from './nudge.ts';

/**
 * work.fifo → reconcile. A message says only "look at this", so any of them may be lost, repeated or late.
 * Messages of one head come one after the other (their group), but nothing depends on it.
 * A failure goes back to the queue; after three of them the sweep makes it due again.
 */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> => {
    const done = new Set<string>();
    return eachRecord(event, deps.log, async (record) => {
      const nudge = readNudge(record);
      const key = `${nudge.tenant}/${subjectOf(nudge)}`;
      // Several nudges of one batch ask for the same look.
      if (done.has(key)) return;
      await lookAt(deps, nudge, record.messageId);
      done.add(key);
    });
  };
}

export const handler = wrapped('dispatch', makeHandler);
