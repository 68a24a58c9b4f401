import type { Clock } from '../../clock.ts';
import {
  type FunctionContext,
  type FunctionDefinition,
  type FunctionRunner,
  type Invocation,
  type InvocationResult,
  thrownResult,
} from './function.ts';

export type InProcessHandler = (event: unknown, context: FunctionContext) => unknown;

/** Runs a handler that a test made in this process, so that it shares clock and clients with the test. */
export class InProcessRunner implements FunctionRunner {
  private readonly definition: FunctionDefinition;
  private readonly handler: InProcessHandler;
  private readonly clock: Clock;

  constructor(definition: FunctionDefinition, handler: InProcessHandler, clock: Clock) {
    this.definition = definition;
    this.handler = handler;
    this.clock = clock;
  }

  async invoke(invocation: Invocation): Promise<InvocationResult> {
    const { name, arn, memoryMiB, logGroup } = this.definition;
    try {
      const answer = await this.handler(JSON.parse(invocation.event), {
        functionName: name,
        functionVersion: '$LATEST',
        invokedFunctionArn: arn,
        memoryLimitInMB: String(memoryMiB),
        awsRequestId: invocation.requestId,
        logGroupName: logGroup,
        logStreamName: 'in-process',
        callbackWaitsForEmptyEventLoop: false,
        getRemainingTimeInMillis: () => Math.max(0, invocation.deadlineMs - this.clock.now()),
      });
      return { payload: JSON.stringify(answer) ?? 'null' };
    } catch (error) {
      return thrownResult(error);
    }
  }

  abandon(): void {}

  async close(): Promise<void> {}
}
