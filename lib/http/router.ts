import { isRouseError, RouseError, unavailable } from '../domain/errors.ts';
import { bodyHash } from './canonical-json.ts';
import { parseOrThrow, sentence } from './issues.ts';
import { type Match, PathTable, unknownPath } from './path-table.ts';
import { type Auth, mayActAs, type Principal } from './principal.ts';
import { commonHeaders, internalError, problemResult } from './problem.ts';
import { bearerOf, bodyOf, type HttpEvent, type HttpResult, idempotencyKeyOf, queryOf } from './request.ts';
import { type Call, type Context, type Contract, FileReply, type Method, Reply, type Route } from './route.ts';

export interface Authentication {
  auth: 'key' | 'runtime';
  token: string;
  requestId: string;
  nowMs: number;
}

export interface IdempotentRequest {
  key: string;
  /** Method and concrete path, e.g. `POST /v1/agents/agt_…/tasks`. */
  route: string;
  /** SHA-256 of the canonical JSON of the body, in hexadecimal. */
  bodyHash: string;
  principal: Principal;
  nowMs: number;
}

export interface IdempotentAnswer {
  status: number;
  body: unknown;
}

/** Remembers the answers of POSTs for 24 hours. */
export interface Idempotency {
  /**
   * Runs `perform` at most once to its end for a key. `seed` is a ULID kept with the key: the second try after a crash
   * gets the same one. If `perform` throws, nothing is remembered but the seed.
   *
   * @throws RouseError idempotency_conflict (same key, another body), idempotency_in_progress
   */
  run(
    request: IdempotentRequest,
    perform: (seed: string) => Promise<IdempotentAnswer>,
  ): Promise<IdempotentAnswer & { replayed: boolean }>;
}

export interface RouterOptions {
  /** @throws RouseError unauthorized */
  authenticate(request: Authentication): Promise<Principal>;
  idempotency: Idempotency;
  /** Milliseconds since 1970. */
  now(): number;
  /** A new ULID. */
  newSeed(): string;
  log: { error(message: string, fields: Record<string, unknown>): void };
  /** Whether what a handler threw passes by itself: it is answered with 503 and `Retry-After`. Default: never. */
  isTemporary?: (error: unknown) => boolean;
  /** All contracts of the API, also those that another function serves: for `Allow`. Default: those of the routes. */
  contracts?: readonly Contract[];
  /** Documented routes that are not built: they answer 422 `not_supported`. */
  unbuilt?: readonly { method: Method; path: string }[];
  /** Check every answer against its contract; for tests and local mode. A mismatch is an internal error. Default false. */
  checkAnswers?: boolean;
}

type Target = { kind: 'route'; route: Route } | { kind: 'elsewhere' } | { kind: 'unbuilt' };

/** Makes the function that answers events of an HTTP API by these routes. It never throws. */
export function makeRouter(
  routes: readonly Route[],
  options: RouterOptions,
): (event: HttpEvent) => Promise<HttpResult> {
  const table = makeTable(routes, options);

  return async (event) => {
    const { requestId, http } = event.requestContext;
    const method = http.method.toUpperCase();
    try {
      const match = table.find(method === 'HEAD' ? 'GET' : method, event.rawPath);
      const served = await serve(match, event, method, options);
      return method === 'HEAD' ? { ...served, body: '' } : served;
    } catch (error) {
      const known = isRouseError(error) ? error : unexpected(error, requestId, options);
      // `unavailable` is told as it is, yet somebody must be able to find out why
      if (known.status >= 500) {
        options.log.error('request failed', {
          requestId,
          method,
          path: event.rawPath,
          code: known.code,
          ...causeOf(known),
        });
      }
      const result = problemResult(known, requestId);
      return method === 'HEAD' ? { ...result, body: '' } : result;
    }
  };
}

function unexpected(error: unknown, requestId: string, { isTemporary }: RouterOptions): RouseError {
  if (!isTemporary?.(error)) return internalError(requestId, error);
  return unavailable('Rouse, or a service that it needs, is too busy at this moment. Try again.', 1, error);
}

function makeTable(routes: readonly Route[], options: RouterOptions): PathTable<Target> {
  const table = new PathTable<Target>();
  for (const route of routes) table.add(route.contract.method, route.contract.path, { kind: 'route', route });
  const bound = new Set(routes.map((route) => route.contract.id));
  for (const contract of options.contracts ?? []) {
    if (!bound.has(contract.id)) table.add(contract.method, contract.path, { kind: 'elsewhere' });
  }
  for (const { method, path } of options.unbuilt ?? []) table.add(method, path, { kind: 'unbuilt' });
  return table;
}

async function serve(
  match: Match<Target>,
  event: HttpEvent,
  method: string,
  options: RouterOptions,
): Promise<HttpResult> {
  const { requestId } = event.requestContext;
  if (match.kind === 'unknown') throw unknownPath(method, event.rawPath);
  if (match.kind === 'other_method') {
    const allow = allowHeader(match.methods);
    if (method === 'OPTIONS') return { statusCode: 204, headers: { ...commonHeaders(requestId), allow }, body: '' };
    const error = new RouseError('method_not_allowed', `Received ${method}; allowed here: ${allow}.`);
    return problemResult(error, requestId, { allow });
  }
  switch (match.value.kind) {
    case 'unbuilt':
      throw new RouseError('not_supported', `${method} ${event.rawPath.slice(0, 200)} is not supported yet.`);
    case 'elsewhere':
      // only a front door that sends requests to the wrong function comes here
      throw unknownPath(method, event.rawPath);
    case 'route':
      return run(match.value.route, match.params, event, options);
    default:
      return match.value satisfies never;
  }
}

function allowHeader(methods: Method[]): string {
  return [...new Set<string>([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].join(', ');
}

async function run(route: Route, rawParams: Record<string, string>, event: HttpEvent, options: RouterOptions) {
  const { contract } = route;
  const { requestId } = event.requestContext;
  const nowMs = options.now();
  const principal = await authenticated(contract, event, options, nowMs);
  refuseStreams(event);
  const params = pathParams(contract, rawParams);
  const query = parseOrThrow(contract.query, queryOf(event));
  const rawBody = contract.method === 'GET' ? {} : bodyOf(event);
  const body = parseOrThrow(contract.body, rawBody);
  const key = contract.idempotent ? idempotencyKeyOf(event) : undefined;

  const header = (name: string) => event.headers?.[name];
  const handle = (seed: string) => {
    // the principal is the one that the contract's `auth` stands for: authenticated() has seen to it
    const context = { principal, requestId, nowMs, seed, header } as Context;
    return route.handler({ params, query, body, context } satisfies Call<Auth, unknown, unknown, unknown>);
  };
  if (key === undefined || principal === null) {
    const returned = await handle(options.newSeed());
    if (returned instanceof FileReply) return fileResult(returned, requestId);
    return rendered(answerOf(contract, returned, options), requestId);
  }

  const request = { key, route: `${contract.method} ${event.rawPath}`, bodyHash: bodyHash(rawBody), principal, nowMs };
  let headers: Record<string, string> = {};
  const { replayed, ...kept } = await options.idempotency.run(request, async (seed) => {
    const { status, body, headers: own } = answerOf(contract, await handle(seed), options);
    headers = own;
    return { status, body };
  });
  if (replayed) headers = { 'idempotency-replayed': 'true' };
  return rendered(new Reply(kept.status, kept.body, headers), requestId);
}

async function authenticated(contract: Contract, event: HttpEvent, options: RouterOptions, nowMs: number) {
  if (contract.auth === 'none') return null;
  const { requestId } = event.requestContext;
  const principal = await options.authenticate({ auth: contract.auth, token: bearerOf(event), requestId, nowMs });
  if (principal.kind !== contract.auth) {
    const detail = `This needs ${contract.auth === 'key' ? 'an API key' : "a runtime's token"}.`;
    throw new RouseError('unauthorized', detail);
  }
  if (principal.kind === 'key' && !mayActAs(principal, contract.role)) {
    throw new RouseError(
      'forbidden',
      `The key "${principal.id}" has the role ${principal.role}; ${contract.role} is needed.`,
    );
  }
  return principal;
}

/** Server-sent events are documented but not built; answering with JSON would leave such a client waiting. */
function refuseStreams(event: HttpEvent): void {
  if (event.headers?.accept?.trim().toLowerCase() !== 'text/event-stream') return;
  throw new RouseError(
    'not_supported',
    'Accept: text/event-stream is not supported yet; read with ?waitSeconds= instead.',
  );
}

/** A PUT names what it makes, so a bad name is bad input; elsewhere a name that can't exist is not found. */
function pathParams(contract: Contract, raw: Record<string, string>): unknown {
  if (contract.method === 'PUT') return parseOrThrow(contract.params, raw);
  const result = contract.params.safeParse(raw, { error: sentence });
  if (result.success) return result.data;
  throw new RouseError('not_found', result.error.issues[0]?.message ?? 'Nothing is here.');
}

function answerOf(contract: Contract, returned: unknown, options: RouterOptions): Reply<unknown> {
  const answer = returned instanceof Reply ? returned : new Reply(contract.status, returned);
  if (options.checkAnswers && answer.status !== 204) {
    const result = contract.answer.safeParse(answer.body);
    if (!result.success)
      throw new Error(`${contract.id} answered what its contract does not allow: ${result.error.message}`);
  }
  return answer;
}

function rendered(answer: Reply<unknown>, requestId: string): HttpResult {
  const headers = { ...commonHeaders(requestId), ...answer.headers };
  if (answer.status === 204) return { statusCode: 204, headers, body: '' };
  return {
    statusCode: answer.status,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(answer.body),
  };
}

function fileResult({ bytes, name }: FileReply, requestId: string): HttpResult {
  return {
    statusCode: 200,
    headers: {
      ...commonHeaders(requestId),
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
      'x-content-type-options': 'nosniff',
    },
    body: Buffer.from(bytes).toString('base64'),
    isBase64Encoded: true,
  };
}

function causeOf(error: RouseError): Record<string, unknown> {
  const cause = error.cause ?? error;
  if (!(cause instanceof Error)) return { cause: String(cause) };
  return { cause: cause.name, causeMessage: cause.message, stack: cause.stack };
}
