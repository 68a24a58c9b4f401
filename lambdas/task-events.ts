import type { EventBridgeEvent } from 'aws-lambda';
import { observeTask } from '../lib/app/observe.ts';
import { type EcsTask, runtimeOf, toObservation } from '../lib/aws/runner.ts';
import type { FunctionDeps } from './deps.ts';
import { wrapped } from './middleware.ts';

/**
 * ECS Task State Change → what was seen, and a nudge. Events come at least once and in any order: the task's version
 * says which is newer. A task that no runtime of ours started is none of our business here.
 */
export function makeHandler(deps: FunctionDeps) {
  return async (event: EventBridgeEvent<'ECS Task State Change', EcsTask & { startedBy?: string }>): Promise<void> => {
    const runtime = runtimeOf(event.detail.startedBy);
    if (runtime) await observeTask(deps, runtime, toObservation(event.detail));
  };
}

export const handler = wrapped('task-events', makeHandler);
