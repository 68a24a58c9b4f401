import type { Authority } from '../iam/authority.ts';
import type { Environment, JsonService, WireService } from '../service.ts';
import type { EcsService } from '../services/ecs/service.ts';
import type { HttpApiService } from '../services/http-api/service.ts';
import type { EventSourceMappings } from '../services/lambda/event-source/mappings.ts';
import type { LambdaService } from '../services/lambda/service.ts';
import type { S3Service } from '../services/s3/service.ts';
import type { StoredMap } from '../store.ts';
import type { StoredResource } from './resource.ts';

/** Where a template is deployed to. */
export interface DeployTarget {
  environment: Environment;
  lambda: LambdaService;
  mappings: EventSourceMappings;
  httpApi: HttpApiService;
  ecs: EcsService;
  s3: S3Service;
  /** Services that are only called as a client would. */
  dynamodb: JsonService;
  sqs: JsonService;
  events: JsonService;
  logs: JsonService;
  scheduler: WireService;
  /** What earlier deploys made of a stack, by logical id. */
  stored(stackName: string): StoredMap<StoredResource>;
  iam: Authority;
  /** Notes the customer's KMS key that a table, bucket or queue is encrypted with, or that it is with none. */
  encrypt(resourceArn: string, keyArn: string | undefined): void;
  /** Bare origin under which the HTTP API is or will be served. */
  apiOrigin(): string;
}

/** Calls an operation as the account's administrator, past faults and observers: a deploy is not what tests count. */
export async function callJson<T = Record<string, unknown>>(
  target: DeployTarget,
  service: JsonService,
  operation: string,
  input: Record<string, unknown>,
): Promise<T> {
  return (await service.call(operation, input, administratorContext(target))) as T;
}

/** As {@link callJson}, for services with their own wire format. The answer's body is given as text. */
export async function callWire(
  target: DeployTarget,
  service: WireService,
  request: { method: string; path: string; query?: Record<string, string>; body?: unknown },
): Promise<{ status: number; body: string }> {
  const context = administratorContext(target);
  const query = request.query ?? {};
  const wireRequest = {
    ...context.request,
    method: request.method,
    path: request.path,
    query,
    rawQuery: new URLSearchParams(query).toString(),
    body: request.body === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(request.body)),
  };
  const answer = await service.handle(wireRequest, { ...context, request: wireRequest });
  return { status: answer.status, body: Buffer.from(answer.body).toString('utf8') };
}

function administratorContext({ environment }: DeployTarget) {
  return {
    requestId: 'local-deploy',
    principal: { arn: `arn:aws:iam::${environment.accountId}:root`, tags: {} },
    request: { method: 'POST', path: '/', query: {}, rawQuery: '', headers: {}, body: new Uint8Array() },
  };
}
