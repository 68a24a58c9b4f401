import type { Deps } from '../lib/app/deps.ts';
import { hashKey } from '../lib/app/sweep.ts';
import { readToken } from '../lib/app/token.ts';
import { unauthorized, unavailable } from '../lib/domain/errors.ts';
import type { KeyPrincipal, RuntimePrincipal } from '../lib/http/principal.ts';
import type { Authentication } from '../lib/http/router.ts';

/** A key that was deleted works for this long at most. */
const cachedMs = 60_000;
const cachedKeys = 1000;

/** Checks API keys, by their hashes in the table. */
export function keyAuthentication(deps: Deps): (request: Authentication) => Promise<KeyPrincipal> {
  const cache = new Map<string, { principal: KeyPrincipal | undefined; untilMs: number }>();
  return async ({ token, nowMs }) => {
    const hash = hashKey(token);
    let entry = cache.get(hash);
    if (!entry || entry.untilMs <= nowMs) {
      const key = await deps.apiKeys.find(hash);
      const live = key && (key.expiresMs === undefined || key.expiresMs > nowMs);
      entry = {
        principal: live ? { kind: 'key', id: key.id, tenant: key.tenant, role: key.role } : undefined,
        untilMs: nowMs + cachedMs,
      };
      if (cache.size >= cachedKeys) cache.clear();
      // An unknown key may be made in a moment: only what was found is remembered.
      if (entry.principal) cache.set(hash, entry);
    }
    if (!entry.principal)
      throw unauthorized(
        'The API key is not known, or has expired. Keys look like rouse_… and go into "Authorization: Bearer <key>".',
      );
    return entry.principal;
  };
}

/** Reads the secret that runtime tokens are signed with, once it is there. */
export function tokenKeyReader(deps: Deps): () => Promise<string> {
  let known: string | undefined;
  return async () => {
    known ??= await deps.parameters.get(deps.config.tokenKeyParameter);
    if (known === undefined) throw unavailable('The deployment is a minute old and not ready yet.', 10);
    return known;
  };
}

export function tokenAuthentication(
  tokenKey: () => Promise<string>,
): (request: Authentication) => Promise<RuntimePrincipal> {
  return async ({ token, nowMs }) => {
    const claims = readToken(token, await tokenKey(), nowMs);
    if (!claims) throw unauthorized("The runtime's token is not valid, or has expired.");
    return { kind: 'runtime', id: claims.runtimeId, tenant: claims.tenant, agentId: claims.agentId };
  };
}
