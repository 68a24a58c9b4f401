import { randomBytes } from 'node:crypto';
import { backoffMs } from './backoff.ts';
import { Bell } from './bell.ts';
import type { Clock } from './clock.ts';
import type { Environment } from './environment.ts';
import { readTaskRoleCredentials, signIdentity } from './identity.ts';
import type { Log } from './log.ts';
import type { BrokeredCredentials, Enrolment } from './protocol.ts';
import { RefusedError, type RuntimeClient, UnreachableError } from './runtime-client.ts';

export interface EnrolmentDependencies {
  environment: Environment;
  env: NodeJS.ProcessEnv;
  client: RuntimeClient;
  clock: Clock;
  fetch: typeof fetch;
  log: Log;
}

/** What enrolling gives: the answer, and the credentials of the moment. */
export interface Session {
  enrolment: Enrolment;
  credentials(): BrokeredCredentials;
  /** One for its whole life, whoever it works for. */
  bell: Bell;
  /** Renews token and credentials at three quarters of their life until the signal aborts. */
  keepFresh(signal: AbortSignal): Promise<void>;
}

/** How long an agent without answer keeps trying; the launch deadline of the server is shorter. */
const enrolPatienceMs = 10 * 60_000;

/**
 * Enrols this runtime; a standby waits until an agent has taken it over. Network errors, 429 and 5xx are tried again for
 * 10 minutes, each time with a fresh signature but the same nonce. Null if SIGTERM comes first. Throws `DisplacedError`
 * where the API refuses, `UnreachableError` where it never answers.
 */
export async function enrol(deps: EnrolmentDependencies, terminated: AbortSignal): Promise<Session | null> {
  const { environment, client, clock, log } = deps;
  const nonce = randomBytes(32).toString('base64');
  const { runtimeId, agentId, tenant } = environment;
  const ask = () =>
    withFreshSignature(
      deps,
      (identity) =>
        client.enroll(
          { runtimeId, ...(agentId === undefined ? {} : { agentId }), tenant, nonce, identity },
          { patienceMs: 0, signal: terminated },
        ),
      terminated,
    );
  let enrolment = await ask();
  if (enrolment === null) return null;
  const { region, endpointUrl } = environment;
  const bell = new Bell({ queueUrl: enrolment.bell.queueUrl, region, endpointUrl, clock, log });
  if ('standby' in enrolment) {
    client.useToken(enrolment.token);
    log.info('standing by');
    const { standBy } = await import('./standby.ts');
    enrolment = await standBy({ bell, client, clock, log }, enrolment, ask, terminated);
  }
  if (enrolment === null) return null;
  client.useToken(enrolment.token);
  let credentials = enrolment.credentials;
  let renewAt = threeQuarters(clock.now(), enrolment.tokenExpiresAt, credentials.expiration);

  async function renew(signal: AbortSignal): Promise<void> {
    try {
      const renewal = await client.renew(nonce, { signal });
      client.useToken(renewal.token);
      credentials = renewal.credentials;
      renewAt = threeQuarters(clock.now(), renewal.tokenExpiresAt, credentials.expiration);
    } catch (error) {
      if (signal.aborted) return;
      deps.log.error('renewal failed', { error });
      // The old ones have a quarter of their life left.
      renewAt = clock.now() + 10_000;
    }
  }

  const enrolled = enrolment;
  return {
    enrolment: enrolled,
    bell,
    credentials: () => credentials,
    async keepFresh(signal) {
      while (!signal.aborted) {
        await clock.sleep(renewAt - clock.now(), signal);
        if (!signal.aborted && clock.now() >= renewAt) await renew(signal);
      }
    },
  };
}

async function withFreshSignature<T>(
  { environment, env, clock, fetch, log }: EnrolmentDependencies,
  send: (identity: object) => Promise<T>,
  terminated: AbortSignal,
): Promise<T | null> {
  const until = clock.now() + enrolPatienceMs;
  for (let tries = 1; ; tries++) {
    try {
      const credentials = await readTaskRoleCredentials(env, fetch);
      return await send(await signIdentity(credentials, { ...environment, now: clock.now() }));
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      if (terminated.aborted) return null;
      const delayMs = backoffMs(tries);
      if (clock.now() + delayMs > until) {
        throw new UnreachableError('The shim could not enrol for 10 minutes and gives up.', { cause: error });
      }
      log.error('enrolment did not get through; trying again', { error, tries });
      await clock.sleep(delayMs, terminated);
    }
  }
}

function threeQuarters(now: number, ...expirations: string[]): number {
  const soonest = Math.min(...expirations.map((expiration) => Date.parse(expiration)));
  return now + Math.max(1_000, (soonest - now) * 0.75);
}
