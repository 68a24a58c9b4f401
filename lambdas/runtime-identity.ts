import type { RuntimeIdentity } from '../lib/app/claim.ts';
import { unauthorized } from '../lib/domain/errors.ts';
import type { RuntimePrincipal } from '../lib/http/principal.ts';

/** Whose shim it is. @throws RouseError unauthorized for a standby */
export function me({ tenant, agentId, id }: RuntimePrincipal): RuntimeIdentity {
  if (agentId === undefined)
    throw unauthorized("This token is a standby's, which has no agent yet. Enrol again when one has taken it over.");
  return { tenant, agentId, id };
}
