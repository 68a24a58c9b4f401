/** Who may call a route: a client with an API key, the shim of a runtime with its token, or anyone. */
export type Auth = 'key' | 'runtime' | 'none';

export const roles = ['viewer', 'member', 'admin'] as const;
export type Role = (typeof roles)[number];

export interface KeyPrincipal {
  kind: 'key';
  /** Id of the key: `key_…`. */
  id: string;
  tenant: string;
  role: Role;
}

export interface RuntimePrincipal {
  kind: 'runtime';
  /** Id of the runtime: `rt_…`. */
  id: string;
  tenant: string;
  /** Undefined for a standby, which is no agent's yet. */
  agentId?: string | undefined;
}

export type Principal = KeyPrincipal | RuntimePrincipal;

export type PrincipalOf<A extends Auth> = A extends 'key'
  ? KeyPrincipal
  : A extends 'runtime'
    ? RuntimePrincipal
    : null;

/** An admin may do what a member may, a member what a viewer may. */
export function mayActAs(principal: KeyPrincipal, needed: Role): boolean {
  return roles.indexOf(principal.role) >= roles.indexOf(needed);
}
