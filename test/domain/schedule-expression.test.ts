import { describe, expect, it } from 'vitest';
import {
  nextOccurrence,
  occurrences,
  parseScheduleExpression,
  ScheduleExpressionError,
  type Timing,
} from '../../lib/domain/schedule-expression.ts';
import { checkTimeZone, UnknownTimeZone } from '../../lib/domain/time-zone.ts';
import { nextFire } from '../../local/schedule-expression.ts';
import { randomFrom } from '../support/builders.ts';

const forever = Number.POSITIVE_INFINITY;

function timingOf(expression: string, timezone = 'UTC', differs: Partial<Timing> = {}): Timing {
  return { expression, timezone, anchorMs: 0, ...differs };
}

/** Occurrences after a time, as minutes of UTC. */
function times(expression: string, after: string, count: number, timezone = 'UTC'): string[] {
  const found = occurrences(timingOf(expression, timezone), Date.parse(after), forever, count);
  return found.map((timeMs) => new Date(timeMs).toISOString().slice(0, 16));
}

describe('across the changes of the clocks', () => {
  it('what Berlin skips in spring does not fire, and nine stays nine', () => {
    expect(times('cron(30 2 * * ? *)', '2027-03-27T12:00:00Z', 2, 'Europe/Berlin')).toEqual([
      '2027-03-29T00:30',
      '2027-03-30T00:30',
    ]);
    expect(times('cron(0 9 * * ? *)', '2027-03-27T00:00:00Z', 3, 'Europe/Berlin')).toEqual([
      '2027-03-27T08:00',
      '2027-03-28T07:00',
      '2027-03-29T07:00',
    ]);
  });

  it('what New York sees twice in autumn fires the first time', () => {
    expect(times('cron(0/30 * * * ? *)', '2027-11-07T05:00:00Z', 4, 'America/New_York')).toEqual([
      '2027-11-07T05:30',
      '2027-11-07T07:00',
      '2027-11-07T07:30',
      '2027-11-07T08:00',
    ]);
  });

  it('Lord Howe moves its clocks by half an hour', () => {
    // To summer time on the 3rd of October 2027 at 2:00, from +10:30 to +11:00; back on the 4th of April.
    expect(times('cron(15 2 * * ? *)', '2027-10-01T00:00:00Z', 3, 'Australia/Lord_Howe')).toEqual([
      '2027-10-01T15:45',
      '2027-10-03T15:15',
      '2027-10-04T15:15',
    ]);
    expect(times('cron(45 1 * * ? *)', '2027-04-02T00:00:00Z', 3, 'Australia/Lord_Howe')).toEqual([
      '2027-04-02T14:45',
      '2027-04-03T14:45',
      '2027-04-04T15:15',
    ]);
  });

  it('a one-time occurrence at a skipped time never comes', () => {
    expect(times('at(2027-03-28T02:30:00)', '2027-01-01T00:00:00Z', 1, 'Europe/Berlin')).toEqual([]);
    expect(times('at(2027-07-01T09:00:00)', '2027-01-01T00:00:00Z', 2, 'Europe/Berlin')).toEqual(['2027-07-01T07:00']);
  });
});

describe('a rate', () => {
  it('counts from its anchor, forwards and backwards', () => {
    const timing = timingOf('rate(5 minutes)', 'UTC', { anchorMs: 30_000 });
    expect(nextOccurrence(timing, 30_000)).toBe(330_000);
    expect(nextOccurrence(timing, 29_999)).toBe(30_000);
    expect(nextOccurrence(timing, -300_000)).toBe(-270_000);
  });

  it('begins and ends with its schedule', () => {
    const timing = timingOf('rate(1 hour)', 'UTC', { startMs: 7_200_000, endMs: 10_800_000 });
    expect(occurrences(timing, 0, forever, 9)).toEqual([7_200_000, 10_800_000]);
  });
});

describe('what is none is refused with what is allowed', () => {
  it.each([
    ['0 9 * * ? *', 'Allowed are cron('],
    ['cron(0 9 * * *)', 'six fields, not 5'],
    ['cron(0 9 * * * *)', 'Exactly one of day-of-month and day-of-week must be "?"'],
    ['cron(60 9 * * ? *)', 'minutes goes from 0 to 59 and can\'t be "60"'],
    ['cron(0 9 ? * MON#6 *)', 'the number after # goes from 1 to 5'],
    ['cron(*/0 9 * * ? *)', 'minutes'],
    ['rate(5 seconds)', 'minutes, hours or days'],
    ['rate(0 minutes)', 'a whole number'],
    ['at(2027-02-30T00:00:00)', 'a date and time like'],
    ['at(2027-01-01T00:00:00Z)', 'without a zone'],
    [`cron(${'1,'.repeat(150)}1 9 * * ? *)`, 'at most 256'],
  ])('%s', (expression, sentence) => {
    expect(() => parseScheduleExpression(expression)).toThrow(ScheduleExpressionError);
    expect(() => parseScheduleExpression(expression)).toThrow(sentence);
  });

  it.each(['Mars/Olympus', '+01:00', 'Europe/Berlin; DROP'])('the time zone %s', (zone) => {
    expect(() => checkTimeZone(zone)).toThrow(UnknownTimeZone);
  });
});

describe('beside the embedded EventBridge Scheduler, which was written apart', () => {
  const random = randomFrom(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const number = (min: number, max: number) => min + Math.floor(random() * (max - min + 1));
  const field = (min: number, max: number) =>
    pick([
      () => '*',
      () => String(number(min, max)),
      () => `${number(min, max)},${number(min, max)}`,
      () => `${number(min, max)}-${number(min, max)}`,
      () => `*/${number(2, 20)}`,
      () => `${number(min, max)}/${number(2, 20)}`,
    ])();
  const days = [
    () => `${field(1, 31)} * ?`,
    () => `L ${field(1, 12)} ?`,
    () => `${number(1, 31)}W ${field(1, 12)} ?`,
    () => `? ${field(1, 12)} ${field(1, 7)}`,
    () => `? * ${pick(['MON-FRI', 'SAT,SUN', 'FRI-MON', 'L'])}`,
    () => `? * ${number(1, 7)}#${number(1, 5)}`,
    () => `? ${pick(['JAN', 'MAR-JUN', 'OCT,NOV'])} ${number(1, 7)}L`,
  ];
  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia'];

  it('300 random expressions fire at the same times', () => {
    for (let i = 0; i < 300; i++) {
      const expression = `cron(${field(0, 59)} ${field(0, 23)} ${pick(days)()} ${pick(['*', '2027-2030', '2028'])})`;
      const zone = pick(zones);
      let afterMs = Date.UTC(2027, number(0, 11), number(1, 28), number(0, 23), number(0, 59), number(0, 59));
      for (let n = 0; n < 6; n++) {
        const expected = nextFire(expression, zone, afterMs);
        expect(nextOccurrence(timingOf(expression, zone), afterMs), `${expression} in ${zone} after ${afterMs}`).toBe(
          expected,
        );
        if (expected === undefined) break;
        afterMs = expected;
      }
    }
  });
});
