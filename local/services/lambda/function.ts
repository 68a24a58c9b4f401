/** A Lambda function as the deployer defines it. */
export interface FunctionDefinition {
  /** Logical id in the template. */
  logicalId: string;
  name: string;
  arn: string;
  roleArn: string;
  /** Absolute folder of the bundled code. */
  codeFolder: string;
  /** `<file>.<export>`, e.g. `index.handler`. */
  handler: string;
  environment: Record<string, string>;
  timeoutSeconds: number;
  memoryMiB: number;
  reservedConcurrency?: number;
  logGroup: string;
  /** Of asynchronous invocations: 0–2, AWS's default is 2. */
  maximumRetryAttempts?: number;
}

/** What invoking a function gives: its answer or its error, as AWS would serialise them. */
export interface InvocationResult {
  /** JSON text. An error is `{errorType, errorMessage, trace}`. */
  payload: string;
  functionError?: 'Unhandled';
}

/** One call of a function. */
export interface Invocation {
  requestId: string;
  /** JSON text of the event. */
  event: string;
  deadlineMs: number;
}

/** Runs one function. The service has counted concurrency and keeps the time; a runner only runs. */
export interface FunctionRunner {
  /** Never rejects: what goes wrong is an error payload. */
  invoke(invocation: Invocation): Promise<InvocationResult>;
  /** The invocation was given up: it may go on, but nobody waits for it. */
  abandon(requestId: string): void;
  close(): Promise<void>;
}

/** The Lambda context object, as far as handlers use it. */
export interface FunctionContext {
  functionName: string;
  functionVersion: string;
  invokedFunctionArn: string;
  memoryLimitInMB: string;
  awsRequestId: string;
  logGroupName: string;
  logStreamName: string;
  callbackWaitsForEmptyEventLoop: boolean;
  getRemainingTimeInMillis(): number;
}

export function errorResult(errorType: string, errorMessage: string, trace: string[] = []): InvocationResult {
  return { payload: JSON.stringify({ errorType, errorMessage, trace }), functionError: 'Unhandled' };
}

/** The error payload of a handler that threw. */
export function thrownResult(error: unknown): InvocationResult {
  if (error instanceof Error) return errorResult(error.name, error.message, (error.stack ?? '').split('\n'));
  return errorResult('Error', typeof error === 'string' ? error : JSON.stringify(error));
}
