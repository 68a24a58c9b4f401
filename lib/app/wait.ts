import type { Deps } from './deps.ts';

/** The first looks come soon, since most waits end soon; later ones cost less. */
const shortestMs = 100;
const longestMs = 1000;

/** Reads until there is something, or the time is up; at once when too many wait already. */
export async function poll<T>(
  deps: Deps,
  waitSeconds: number,
  read: () => Promise<T>,
  isEnough: (value: T) => boolean,
): Promise<T> {
  const untilMs = deps.now() + waitSeconds * 1000;
  let value = await read();
  if (isEnough(value) || waitSeconds === 0 || !(await deps.waiters.enter(deps.now()))) return value;
  for (let pauseMs = shortestMs; deps.now() < untilMs; pauseMs = Math.min(pauseMs * 1.5, longestMs)) {
    await deps.sleep(Math.min(pauseMs, Math.max(1, untilMs - deps.now())));
    value = await read();
    if (isEnough(value)) return value;
  }
  return value;
}
