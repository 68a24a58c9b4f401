import { randomUUID } from 'node:crypto';
import { AwsError } from '../../errors.ts';
import type { Environment, WireRequest } from '../../service.ts';
import { type HttpAnswer, listen } from '../../transport.ts';
import type { LambdaService } from '../lambda/service.ts';
import { functionAnswer, requestEvent } from './payload.ts';
import { type ApiRoute, matchRoute } from './routes.ts';

const maxBodyBytes = 10 * 1024 * 1024;

/** Longest time that API Gateway waits for a function. */
export const maxIntegrationTimeoutMs = 30_000;

/** A request to an API, for tests in the same process. */
export interface ApiRequest {
  method: string;
  /** With the query, if any. */
  path: string;
  headers?: Record<string, string>;
  /** Text as it is; anything else as JSON. */
  body?: unknown;
}

export interface Integration {
  functionArn: string;
  timeoutMs: number;
}

interface Api {
  integrations: Map<string, Integration>;
  routes: Map<string, ApiRoute>;
}

/** API Gateway's HTTP APIs with Lambda proxy integrations, payload format 2.0, and a `$default` stage. */
export class HttpApiService {
  private readonly environment: Environment;
  private readonly functions: Pick<LambdaService, 'invoke'>;
  private readonly mayInvoke: (functionArn: string, sourceArn: string) => boolean;
  private readonly apis = new Map<string, Api>();

  /** @param mayInvoke whether a function's policy lets the API invoke it for a route; without it, every function does */
  constructor(
    environment: Environment,
    functions: Pick<LambdaService, 'invoke'>,
    mayInvoke: (functionArn: string, sourceArn: string) => boolean = () => true,
  ) {
    this.environment = environment;
    this.functions = functions;
    this.mayInvoke = mayInvoke;
  }

  /** Creates an API, unless it is there. */
  define(apiId: string): void {
    if (!this.apis.has(apiId)) this.apis.set(apiId, { integrations: new Map(), routes: new Map() });
  }

  defineIntegration(apiId: string, integrationId: string, integration: Integration): void {
    this.find(apiId).integrations.set(integrationId, integration);
  }

  /** Creates or replaces a route, e.g. with the key `GET /v1/x/{id}`. */
  defineRoute(apiId: string, routeId: string, key: string, integrationId: string): void {
    const { integrations, routes } = this.find(apiId);
    const integration = integrations.get(integrationId);
    if (!integration)
      throw new AwsError('NotFoundException', `Invalid Integration identifier specified ${integrationId}`, 404);
    routes.set(routeId, { key, ...integration });
  }

  removeRoute(apiId: string, routeId: string): void {
    this.apis.get(apiId)?.routes.delete(routeId);
  }

  remove(apiId: string): void {
    this.apis.delete(apiId);
  }

  ids(): string[] {
    return [...this.apis.keys()];
  }

  async request(apiId: string, request: ApiRequest): Promise<HttpAnswer> {
    const [path = '/', rawQuery = ''] = request.path.split(/\?(.*)/s);
    const query: Record<string, string | string[]> = {};
    const parameters = new URLSearchParams(rawQuery);
    for (const name of new Set(parameters.keys())) {
      const values = parameters.getAll(name);
      query[name] = values.length > 1 ? values : values[0]!;
    }
    const headers: Record<string, string> = { host: 'localhost' };
    for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value;
    const isText = request.body === undefined || typeof request.body === 'string';
    if (!isText) headers['content-type'] ??= 'application/json';
    const body = Buffer.from(isText ? ((request.body as string | undefined) ?? '') : JSON.stringify(request.body));
    return this.handle(apiId, { method: request.method, path, query, rawQuery, headers, body });
  }

  async handle(apiId: string, request: WireRequest): Promise<HttpAnswer> {
    const requestId = randomUUID();
    const answer = await this.answer(apiId, request, requestId);
    return { ...answer, headers: { ...answer.headers, 'apigw-requestid': requestId } };
  }

  /** Serves one API on a bare origin of the loopback. Port 0 takes any free one. */
  async listen(apiId: () => string | undefined, port: number): Promise<{ port: number; close(): Promise<void> }> {
    return listen(async (request) => {
      const id = apiId();
      return id === undefined ? message(503, 'Service Unavailable') : this.handle(id, request);
    }, port);
  }

  private find(apiId: string): Api {
    const api = this.apis.get(apiId);
    if (!api) throw new AwsError('NotFoundException', `Invalid API identifier specified ${apiId}`, 404);
    return api;
  }

  private async answer(apiId: string, request: WireRequest, requestId: string): Promise<HttpAnswer> {
    const match = matchRoute([...this.find(apiId).routes.values()], request.method, request.path);
    if (!match) return message(404, 'Not Found');
    if (request.body.length > maxBodyBytes) return message(413, 'Request Entity Too Large');
    const { accountId, clock } = this.environment;
    const event = JSON.stringify(requestEvent(request, match, { accountId, apiId, requestId, nowMs: clock.now() }));
    const { functionArn, timeoutMs, key } = match.route;
    if (!this.mayInvoke(functionArn, this.sourceArn(apiId, key))) {
      this.environment.log(`HTTP API ${apiId} may not invoke ${functionArn} for ${key}: no permission allows it`);
      return message(500, 'Internal Server Error');
    }
    try {
      const result = await this.inTime(this.functions.invoke(functionArn, event), timeoutMs);
      if (!result) return message(503, 'Service Unavailable');
      if (result.functionError) this.environment.log(`${functionArn} failed with ${result.payload}`);
      const answer = result.functionError ? undefined : functionAnswer(result.payload);
      return answer ?? message(500, 'Internal Server Error');
    } catch (error) {
      if (error instanceof AwsError && error.status === 429) return message(503, 'Service Unavailable');
      this.environment.log(`HTTP API ${apiId} failed: ${error}`);
      return message(500, 'Internal Server Error');
    }
  }

  /** What a function's policy sees of a route of the stage `$default`. */
  private sourceArn(apiId: string, key: string): string {
    const { region, accountId } = this.environment;
    return `arn:aws:execute-api:${region}:${accountId}:${apiId}/$default/${key.replace(' ', '')}`;
  }

  private async inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
    const { clock } = this.environment;
    let expire: (value: undefined) => void = () => {};
    const expired = new Promise<undefined>((resolve) => {
      expire = resolve;
    });
    const timer = clock.at(clock.now() + timeoutMs, () => expire(undefined));
    try {
      return await Promise.race([work, expired]);
    } finally {
      timer.cancel();
    }
  }
}

function message(status: number, text: string): HttpAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message: text }) };
}
