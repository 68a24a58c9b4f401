import { randomUUID } from 'node:crypto';
import { AwsError, notEmulated } from './errors.ts';
import { faultError } from './faults.ts';
import type { AskedCall } from './iam/access.ts';
import type { Rates } from './rates.ts';
import type {
  CallContext,
  Environment,
  JsonService,
  Principal,
  Service,
  WireRequest,
  WireResponse,
  WireService,
} from './service.ts';

/** The connection broke: the caller gets no answer at all. */
export class ConnectionLost extends Error {
  /** As Node's sockets say it: the SDK tries again. */
  readonly code = 'ECONNRESET';
}

/** One answered call, for counting what a task costs. */
export interface ObservedCall {
  service: string;
  operation: string;
  principal: string | undefined;
  input: Record<string, unknown>;
  output: unknown;
  errorCode: string | undefined;
}

/** Who may do what. */
export interface Permissions {
  /** @throws AwsError as the called service refuses what is not allowed */
  authorize(call: AskedCall, principal: Principal | undefined): void;
  /** What the caller may know of an error. */
  disguise(error: unknown, call: AskedCall, principal: Principal | undefined): unknown;
}

/** Finds the service of a request, lets faults happen, and speaks the JSON protocols. */
export class Wire {
  private readonly environment: Environment;
  private readonly permissions: Permissions | undefined;
  private readonly rates: Rates | undefined;
  private readonly services = new Map<string, Service>();
  private readonly byTarget = new Map<string, JsonService>();
  private readonly observers = new Set<(call: ObservedCall) => void>();

  /** @param permissions without them everyone may do everything. @param rates without them as often as they like */
  constructor(environment: Environment, permissions?: Permissions, rates?: Rates) {
    this.environment = environment;
    this.permissions = permissions;
    this.rates = rates;
  }

  register(service: Service): void {
    this.services.set(service.name, service);
    if (service.protocol === 'json') this.byTarget.set(service.targetPrefix, service);
  }

  /** Calls `observer` after each call; the returned function ends that. */
  observe(observer: (call: ObservedCall) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  /** @throws ConnectionLost when a fault breaks the connection. */
  async handle(request: WireRequest): Promise<WireResponse> {
    const context: CallContext = { requestId: randomUUID(), principal: undefined, request };
    const service = this.find(request);
    if (!service) return plainError(notEmulated('AWS', `the service of ${request.method} ${request.path}`), context);
    const caller = this.principal(request);
    if (caller instanceof AwsError) return serviceError(service, caller, context);
    context.principal = caller;
    return service.protocol === 'json' ? this.handleJson(service, context) : this.handleWire(service, context);
  }

  private async handleJson(service: JsonService, context: CallContext): Promise<WireResponse> {
    const operation = (context.request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
    let input: Record<string, unknown>;
    try {
      input = JSON.parse(Buffer.from(context.request.body).toString('utf8') || '{}');
    } catch {
      return jsonError(service, new AwsError('SerializationException', 'The request body is not JSON.'), context);
    }
    try {
      const output = await this.perform(service.name, operation, input, context, () =>
        service.call(operation, input, context),
      );
      return {
        status: 200,
        headers: {
          'content-type': `application/x-amz-json-${service.jsonVersion}`,
          'x-amzn-requestid': context.requestId,
        },
        body: JSON.stringify(output ?? {}),
      };
    } catch (error) {
      return jsonError(service, this.asAwsError(error), context);
    }
  }

  private async handleWire(service: WireService, context: CallContext): Promise<WireResponse> {
    const operation = service.operation(context.request);
    const input = { method: context.request.method, path: context.request.path, query: context.request.query };
    try {
      const response = await this.perform(service.name, operation, input, context, () =>
        service.handle(context.request, context),
      );
      return {
        ...response,
        headers: { 'x-amzn-requestid': context.requestId, 'x-amz-request-id': context.requestId, ...response.headers },
      };
    } catch (error) {
      return serviceError(service, this.asAwsError(error), context);
    }
  }

  private async perform<T>(
    service: string,
    operation: string,
    input: Record<string, unknown>,
    context: CallContext,
    effect: () => Promise<T>,
  ): Promise<T> {
    const principal = context.principal?.arn;
    const seen = (output: unknown, errorCode?: string) => {
      for (const observer of this.observers) observer({ service, operation, principal, input, output, errorCode });
    };
    try {
      const fault = this.environment.faults.of({ service, operation, input, principal });
      if (fault?.kind === 'delay') await this.delay(fault.delayMs);
      if (fault?.kind === 'drop' && !fault.after) throw new ConnectionLost();
      if (fault?.kind === 'error' && !fault.after) throw faultError(fault);
      this.rates?.check(service, operation, input);
      const output = await this.permitted({ service, operation, input, request: context.request }, context, effect);
      if (fault?.kind === 'drop') throw new ConnectionLost();
      if (fault?.kind === 'error') throw faultError(fault);
      seen(output);
      return output;
    } catch (error) {
      seen(undefined, error instanceof AwsError ? error.code : 'ConnectionLost');
      throw error;
    }
  }

  private async permitted<T>(call: AskedCall, context: CallContext, effect: () => Promise<T>): Promise<T> {
    const { permissions } = this;
    if (!permissions) return effect();
    permissions.authorize(call, context.principal);
    try {
      return await effect();
    } catch (error) {
      throw permissions.disguise(error, call, context.principal);
    }
  }

  private delay(delayMs: number): Promise<void> {
    const { clock } = this.environment;
    return new Promise((resolve) => clock.at(clock.now() + delayMs, resolve));
  }

  private find(request: WireRequest): Service | undefined {
    const target = request.headers['x-amz-target'];
    if (target) return this.byTarget.get(target.split('.')[0] ?? '');
    return this.services.get(credentialScope(request)?.service ?? 's3');
  }

  private principal(request: WireRequest): Principal | undefined | AwsError {
    const scope = credentialScope(request);
    if (!scope) return undefined;
    const found = this.environment.credentials.find(scope.accessKeyId);
    if (found) return found.principal;
    return this.environment.credentials.hasExpired(scope.accessKeyId)
      ? new AwsError('ExpiredToken', 'The security token included in the request is expired', 403)
      : new AwsError('InvalidClientTokenId', 'The security token included in the request is invalid.', 403);
  }

  private asAwsError(error: unknown): AwsError {
    if (error instanceof ConnectionLost) throw error;
    if (error instanceof AwsError) return error;
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.environment.log(`embedded AWS failed: ${message}`);
    return new AwsError('InternalFailure', `The embedded AWS failed: ${message}`, 500);
  }
}

/** The access key and the service that a request was signed for (in its header or, presigned, in its query). */
export function credentialScope(request: WireRequest): { accessKeyId: string; service: string } | undefined {
  const header = /Credential=([^,\s]+)/.exec(request.headers.authorization ?? '')?.[1];
  const presigned = request.query['X-Amz-Credential'];
  const credential = header ?? (typeof presigned === 'string' ? presigned : undefined);
  const parts = credential?.split('/');
  return parts && parts.length >= 5 ? { accessKeyId: parts[0]!, service: parts.at(-2)! } : undefined;
}

function serviceError(service: Service, error: AwsError, context: CallContext): WireResponse {
  if (service.protocol === 'json') return jsonError(service, error, context);
  return service.renderError?.(error, context) ?? plainError(error, context);
}

function jsonError(service: JsonService, error: AwsError, context: CallContext): WireResponse {
  return {
    status: error.status,
    headers: {
      'content-type': `application/x-amz-json-${service.jsonVersion}`,
      'x-amzn-requestid': context.requestId,
      'x-amzn-errortype': error.code,
      ...service.errorHeaders?.(error),
    },
    body: JSON.stringify({ __type: error.code, message: error.message, ...error.members }),
  };
}

/** An error of a service that has not rendered it in its own format. */
function plainError(error: AwsError, context: CallContext): WireResponse {
  return {
    status: error.status,
    headers: {
      'content-type': 'application/json',
      'x-amzn-requestid': context.requestId,
      'x-amzn-errortype': error.code,
    },
    body: JSON.stringify({ __type: error.code, message: error.message, ...error.members }),
  };
}
