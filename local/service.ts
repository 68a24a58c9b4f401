import type { Activity } from './activity.ts';
import type { Clock } from './clock.ts';
import type { CredentialRegistry } from './credentials.ts';
import type { AwsError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { Store } from './store.ts';

/** A request as it came over the wire, or from an SDK client in the same process. Header names are lower case. */
export interface WireRequest {
  method: string;
  /** Path without the query, still percent-encoded. */
  path: string;
  /** Decoded query parameters; a repeated one is an array. */
  query: Record<string, string | string[]>;
  /** The query as it was sent, without `?`: signatures cover it. */
  rawQuery: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface WireResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array | string;
}

/** Who calls, by the access key of the signature. */
export interface Principal {
  /** `arn:aws:sts::…:assumed-role/<role>/<session>`, or the root user of the account for the local administrator. */
  arn: string;
  /** ARN of the role, when it is a role session. */
  roleArn?: string;
  sessionName?: string;
  /** Session tags. */
  tags: Record<string, string>;
  /** Session policy: a policy document that narrows what the role may do. */
  sessionPolicy?: string;
}

export interface CallContext {
  requestId: string;
  principal: Principal | undefined;
  request: WireRequest;
}

/** What every service of the embedded AWS is built from. */
export interface Environment {
  region: string;
  accountId: string;
  clock: Clock;
  store: Store;
  faults: Faults;
  credentials: CredentialRegistry;
  /** What is under way; tests wait until nothing is. */
  activity: Activity;
  /** URL under which the services can be reached over HTTP, or undefined when there is only the in-process transport. */
  endpoint(): string | undefined;
  log(line: string): void;
}

/**
 * A service that speaks one of the `X-Amz-Target` JSON protocols (DynamoDB, SQS, ECS, EventBridge, SSM, Secrets Manager, CloudWatch Logs).
 * The wire layer decodes and encodes; errors are `AwsError`s.
 */
export interface JsonService {
  readonly protocol: 'json';
  /** Signing name. */
  readonly name: string;
  /** Part of `X-Amz-Target` before the dot, e.g. `DynamoDB_20120810`. */
  readonly targetPrefix: string;
  readonly jsonVersion: '1.0' | '1.1';
  call(operation: string, input: Record<string, unknown>, context: CallContext): Promise<unknown>;
  /** Headers that this service's errors carry besides the usual ones. */
  errorHeaders?(error: AwsError): Record<string, string>;
}

/** A service with its own wire format (S3, STS, Scheduler, Lambda, the HTTP API). `operation` names the call for faults, counts and permissions. */
export interface WireService {
  readonly protocol: 'wire';
  readonly name: string;
  operation(request: WireRequest): string;
  handle(request: WireRequest, context: CallContext): Promise<WireResponse>;
  /** An error in the service's own format, injected ones included. Without it errors are JSON. */
  renderError?(error: AwsError, context: CallContext): WireResponse;
}

export type Service = JsonService | WireService;
