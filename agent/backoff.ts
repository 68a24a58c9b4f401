/**
 * How long to wait before try number `attempt` (1 is the first retry), in milliseconds: doubling from 200 ms to 10 s,
 * the upper half random so that a fleet that lost the API together does not come back in step.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(10_000, 200 * 2 ** Math.min(attempt - 1, 10));
  return ceiling / 2 + (ceiling / 2) * random();
}
