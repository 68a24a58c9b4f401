/** IANA time zones: between the time that a clock on the wall shows and the moment that it is. */

/** The name is none of the IANA time zone database. */
export class UnknownTimeZone extends Error {
  constructor(name: string) {
    super(`Received "${name}"; an IANA time zone such as Europe/Berlin or UTC is allowed.`);
  }
}

const dayMs = 86_400_000;
const clocks = new Map<string, Intl.DateTimeFormat>();
const namePattern = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;

/** @throws UnknownTimeZone */
export function checkTimeZone(name: string): void {
  clockOf(name);
}

/** What a clock in this zone shows at a moment, as milliseconds as if it were UTC. @throws UnknownTimeZone */
export function wallTimeOf(momentMs: number, zone: string): number {
  // What most schedules have needs no calendar.
  if (zone === 'UTC') return momentMs;
  const shown: Record<string, number> = {};
  for (const { type, value } of clockOf(zone).formatToParts(momentMs)) shown[type] = Number(value);
  const { year = 0, month = 1, day, hour, minute, second } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (momentMs % 1000);
}

/**
 * The first moment at which a clock in this zone shows a time, or undefined when it never does: clocks skip an hour in
 * spring. In autumn they show an hour twice, of which this is the first (as EventBridge Scheduler has it, aws-facts 4.1).
 */
export function momentOf(wallMs: number, zone: string): number | undefined {
  const offsets = [wallMs - dayMs, wallMs + dayMs].map((nearMs) => wallTimeOf(nearMs, zone) - nearMs);
  const moments = offsets.map((offset) => wallMs - offset).filter((moment) => wallTimeOf(moment, zone) === wallMs);
  return moments.length === 0 ? undefined : Math.min(...moments);
}

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known) return known;
  if (!namePattern.test(zone)) throw new UnknownTimeZone(zone);
  try {
    const clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clocks.set(zone, clock);
    return clock;
  } catch {
    throw new UnknownTimeZone(zone);
  }
}
