import type { Cause } from '../lib/app/commit.ts';
import { Conflict } from '../lib/app/ports.ts';
import { isTemporary } from '../lib/aws/temporary-failure.ts';
import { newUlid } from '../lib/domain/id.ts';
import type { Principal } from '../lib/http/principal.ts';
import type { HttpEvent, HttpResult } from '../lib/http/request.ts';
import type { Context, Route } from '../lib/http/route.ts';
import { type Authentication, makeRouter } from '../lib/http/router.ts';
import { contracts } from '../lib/http/routes/index.ts';
import { unbuiltRoutes } from '../lib/http/routes/unbuilt.ts';
import type { FunctionDeps } from './deps.ts';

/** A function behind the HTTP API: it answers its own routes, and knows of the others what a client should be told. */
export function serve(
  deps: FunctionDeps,
  routes: readonly Route[],
  authenticate: (request: Authentication) => Promise<Principal>,
): (event: HttpEvent) => Promise<HttpResult> {
  return makeRouter(routes, {
    authenticate,
    idempotency: deps.idempotency,
    now: deps.now,
    newSeed: () => newUlid(deps.now(), deps.random),
    log: deps.log,
    // A write that lost its race again and again is no fault of the caller either.
    isTemporary: (error) => error instanceof Conflict || isTemporary(error),
    contracts,
    unbuilt: unbuiltRoutes,
  });
}

/** Who is behind a request, for the events that it leads to. */
export function causeOf(context: Context): Cause {
  const { principal, requestId } = context;
  if (principal === null) return { actor: { type: 'system', id: 'anonymous' }, cause: requestId };
  return principal.kind === 'key'
    ? { actor: { type: 'key', id: principal.id }, cause: requestId }
    : { actor: { type: 'agent', id: principal.agentId ?? principal.id }, cause: requestId };
}
