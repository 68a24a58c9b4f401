import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Principal } from './service.ts';
import type { Store, StoredMap } from './store.ts';

export interface IssuedCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiresAtMs: number;
  principal: Principal;
}

/** The access key of whoever runs the local stack. Everyone may know it: the embedded AWS listens on the loopback only. */
export const localAdministrator = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

/** Expired credentials are known for so long, to say that they are expired. */
const knownMs = 3_600_000;

/** Credentials that the embedded AWS has handed out: to functions, containers, and by AssumeRole. */
export class CredentialRegistry {
  private readonly clock: Clock;
  private readonly issued: StoredMap<IssuedCredentials>;
  private readonly administrator: IssuedCredentials;
  /** When those that have expired are forgotten next. */
  private forgetMs = 0;

  constructor(store: Store, clock: Clock, accountId: string) {
    this.clock = clock;
    this.issued = store.map('credentials');
    this.administrator = {
      ...localAdministrator,
      sessionToken: '',
      expiresAtMs: Number.POSITIVE_INFINITY,
      principal: { arn: `arn:aws:iam::${accountId}:root`, tags: {} },
    };
  }

  /** New credentials of a role session; `roleArn` may contain a path, which a session's ARN leaves out. */
  issue(
    roleArn: string,
    sessionName: string,
    durationSeconds: number,
    tags: Record<string, string> = {},
    sessionPolicy?: string,
  ): IssuedCredentials {
    const now = this.clock.now();
    if (now >= this.forgetMs) this.forget(now);
    const account = roleArn.split(':')[4] ?? '';
    const roleName = roleArn.slice(roleArn.lastIndexOf('/') + 1);
    const credentials: IssuedCredentials = {
      accessKeyId: `ASIA${randomBytes(10).toString('hex').toUpperCase().slice(0, 16)}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(48).toString('base64'),
      expiresAtMs: now + durationSeconds * 1000,
      principal: {
        arn: `arn:aws:sts::${account}:assumed-role/${roleName}/${sessionName}`,
        roleArn,
        sessionName,
        tags,
        ...(sessionPolicy !== undefined && { sessionPolicy }),
      },
    };
    this.issued.set(credentials.accessKeyId, credentials);
    return credentials;
  }

  /** Now and then: to look at all of them for each new one would take the longer the more there are. */
  private forget(now: number): void {
    for (const [key, old] of this.issued.entries()) if (old.expiresAtMs < now - knownMs) this.issued.delete(key);
    this.forgetMs = now + knownMs;
  }

  /** The credentials of an access key, or undefined when it was never issued or has expired. */
  find(accessKeyId: string): IssuedCredentials | undefined {
    if (accessKeyId === localAdministrator.accessKeyId) return this.administrator;
    const found = this.issued.get(accessKeyId);
    return found && found.expiresAtMs > this.clock.now() ? found : undefined;
  }

  /** Whether an access key was issued and is too old by now (known for an hour or two). */
  hasExpired(accessKeyId: string): boolean {
    const found = this.issued.get(accessKeyId);
    return found !== undefined && found.expiresAtMs <= this.clock.now();
  }
}
