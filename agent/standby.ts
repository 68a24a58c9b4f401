import type { Bell } from './bell.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Enrolment, StandbyEnrolment } from './protocol.ts';
import { RefusedError, type RuntimeClient, UnreachableError } from './runtime-client.ts';

export interface StandbyDependencies {
  bell: Bell;
  client: RuntimeClient;
  clock: Clock;
  log: Log;
}

/** A ring may get lost, so a standby asks this often whether an agent has taken it over. */
const askEveryMs = 30_000;
/** Without an answer for so long, a standby gives up: its pool has replaced it by then. */
const giveUpAfterMs = 10 * 60_000;

/**
 * Waits, as a runtime of no agent, until one has taken it over. The bell says to enrol again, and so does an answer that
 * it has been taken; token and credentials are renewed the same way. Rejects with a `DisplacedError` when it is no longer
 * wanted.
 *
 * @param enrol enrols again; null when SIGTERM came
 * @returns the enrolment for the agent, or null when SIGTERM came first
 */
export async function standBy(
  { bell, client, clock, log }: StandbyDependencies,
  first: StandbyEnrolment,
  enrol: () => Promise<Enrolment | StandbyEnrolment | null>,
  terminated: AbortSignal,
): Promise<Enrolment | null> {
  let standby = first;
  let isDue = false;
  let wake = new AbortController();
  const onRing = () => {
    isDue = true;
    wake.abort();
  };
  let taken: Enrolment | null = null;
  const onTerminated = () => wake.abort();
  terminated.addEventListener('abort', onTerminated);
  bell.hear({ credentials: () => standby.credentials, onRing });
  void warmUp(log);
  try {
    for (let askAt = clock.now() + askEveryMs; !terminated.aborted; ) {
      if (!isDue && clock.now() < askAt) {
        await clock.sleep(askAt - clock.now(), wake.signal);
        wake = new AbortController();
        continue;
      }
      askAt = clock.now() + askEveryMs;
      if (isDue || clock.now() >= renewalOf(standby) || (await isTaken(client, clock))) {
        isDue = false;
        const answer = await enrol();
        if (answer === null) return null;
        if (!('standby' in answer)) {
          taken = answer;
          return taken;
        }
        client.useToken(answer.token);
        standby = answer;
      }
    }
    return null;
  } finally {
    terminated.removeEventListener('abort', onTerminated);
    // The agent hears it from now on, or nobody.
    if (taken === null) bell.close();
  }
}

/** An API that is out of reach now may be back in half a minute. */
async function isTaken(client: RuntimeClient, clock: Clock): Promise<boolean> {
  try {
    return (await client.standby({ patienceMs: 0 })).taken;
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    const silentMs = clock.now() - client.lastAnswerAt();
    if (silentMs > giveUpAfterMs)
      throw new UnreachableError(`The API has not answered a standby for ${Math.round(silentMs / 1000)} s.`, {
        cause: error,
      });
    return false;
  }
}

/** Half of their life is left then for whatever is in the way. */
function renewalOf({ tokenExpiresAt, credentials }: StandbyEnrolment): number {
  const expiresAt = Math.min(Date.parse(tokenExpiresAt), Date.parse(credentials.expiration));
  return expiresAt - 30 * 60_000;
}

/** What an agent will need is loaded while nobody waits for it. */
async function warmUp(log: Log): Promise<void> {
  try {
    await Promise.all([
      import('./workspace/workspace.ts'),
      import('./object-storage.ts'),
      import('./drivers/command.ts'),
      import('./drivers/module.ts'),
    ]);
  } catch (error) {
    log.error('warming up failed', { error });
  }
}
