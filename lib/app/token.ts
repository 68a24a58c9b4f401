import { createHmac, timingSafeEqual } from 'node:crypto';

/** A runtime's token says whose it is and until when; nothing of it is stored. */
export interface RuntimeClaims {
  tenant: string;
  /** A standby's token says only which runtime it is. */
  agentId?: string | undefined;
  runtimeId: string;
  expiresMs: number;
}

/** Tokens live as long as the credentials that come with them. */
export const tokenLifeMs = 3_600_000;

export function signToken(claims: RuntimeClaims, key: string): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `rt1.${payload}.${mac(payload, key)}`;
}

/** The claims of a token, or undefined when it is not ours or has expired. */
export function readToken(token: string, key: string, nowMs: number): RuntimeClaims | undefined {
  const [version, payload, signature] = token.split('.');
  if (version !== 'rt1' || !payload || !signature) return undefined;
  const expected = Buffer.from(mac(payload, key));
  const given = Buffer.from(signature);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as RuntimeClaims;
  return claims.expiresMs > nowMs ? claims : undefined;
}

function mac(payload: string, key: string): string {
  return createHmac('sha256', key).update(`rt1.${payload}`).digest('base64url');
}
