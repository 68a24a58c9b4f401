import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { isId } from '../lib/domain/id.ts';
import { eachRecord, parsed } from './batch.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/** How long after its failures an agent is looked at again. */
const againMs = 60_000;

/**
 * What failed too often makes its agent due again, so that a bad moment never lasts for ever and never blocks a queue.
 * Messages that name no agent of ours are dropped, with their text in the log.
 */
export function makeHandler(deps: FunctionDeps) {
  return (event: SQSEvent): Promise<SQSBatchResponse> =>
    eachRecord(event, deps.log, async (record) => {
      // A nudge names its agent as `id`, a launch as `agentId`.
      const { tenant, agentId } = parsed(record, ({ tenant, id, agentId = id }) =>
        typeof tenant === 'string' && typeof agentId === 'string' && isId('agent', agentId)
          ? { tenant, agentId }
          : undefined,
      );
      await deps.agents.lowerDue(tenant, agentId, deps.now() + againMs);
      deps.log.warn('agent made due again after failures', { agentId, body: record.body });
    });
}

export const handler = wrapped('redrive', makeHandler);
