/** EventBridge Scheduler's cron expressions, drawn at random, against the library croner, which has no part in the code. */
import { Cron } from 'croner';
import { expect, test } from 'vitest';
import { nextFire } from '../../local/schedule-expression.ts';
import { Draw } from './draw.ts';

const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

/** A field in both dialects. */
type Field = readonly [aws: string, croner: string];

/** Numbers, lists, ranges and steps. `name` puts a value into words. */
function field(draw: Draw, min: number, max: number, name?: (value: number) => string): Field {
  const value = () => min + draw.below(max - min + 1);
  const same = (text: string): Field => [text, text];
  const range = () => {
    const [low, high] = [value(), value()].sort((one, two) => one - two) as [number, number];
    return [low, high] as const;
  };
  return draw.weighted<Field>([
    [3, () => same('*')],
    [4, () => same(String(value()))],
    [2, () => same([...new Set(draw.many(2, 3, value))].join(','))],
    [1, () => same(range().join('-'))],
    [1, () => same(`${range().join('-')}/${1 + draw.below(4)}`)],
    [1, () => same(`*/${2 + draw.below(7)}`)],
    [
      1,
      () => {
        const [start, step] = [value(), 1 + draw.below(9)];
        return [`${start}/${step}`, `${start}-${max}/${step}`];
      },
    ],
    [name ? 2 : 0, () => same(name!(value()))],
  ]);
}

/** Days of the week count from 1 (Sunday) at AWS and from 0 in croner; AWS's L is Saturday, and FRIL the last Friday. */
function dayOfWeek(draw: Draw): Field {
  const day = draw.below(7);
  const [low, high] = [draw.below(7), draw.below(7)].sort((one, two) => one - two) as [number, number];
  const nth = 1 + draw.below(5);
  return draw.of<Field>([
    [String(day + 1), String(day)],
    [days[day]!, days[day]!],
    [`${low + 1}-${high + 1}`, `${low}-${high}`],
    [`${days[low]},${days[high]}`, `${days[low]},${days[high]}`],
    [`${days[day]}#${nth}`, `${days[day]}#${nth}`],
    [`${day + 1}L`, `${days[day]}#L`],
    ['L', 'SAT'],
  ]);
}

function dayOfMonth(draw: Draw): Field {
  const day = 1 + draw.below(28);
  return draw.weighted<Field>([
    [6, () => field(draw, 1, 31)],
    [1, () => ['L', 'L']],
    [1, () => [`${day}W`, `${day}W`]],
  ]);
}

function expression(draw: Draw): Field {
  const [minute, hour] = [field(draw, 0, 59), field(draw, 0, 23)];
  const month = field(draw, 1, 12, (value) => months[value - 1]!);
  const year = draw.of<Field>([
    ['*', '*'],
    ['2027', '2027'],
    ['2027-2030', '2027-2030'],
    ['2028,2032', '2028,2032'],
  ]);
  const any: Field = ['?', '*'];
  const [date, weekday] = draw.chance(0.5) ? [dayOfMonth(draw), any] : [any, dayOfWeek(draw)];
  const fields = [minute, hour, date, month, weekday, year];
  return [`cron(${fields.map(([aws]) => aws).join(' ')})`, `0 ${fields.map(([, croner]) => croner).join(' ')}`];
}

function ours(aws: string, zone: string, afterMs: number, count: number): string[] {
  const found: string[] = [];
  let at: number | undefined = afterMs;
  while (found.length < count) {
    at = nextFire(aws, zone, at);
    // Croner looks no further than this.
    if (at === undefined || at > Date.UTC(2040, 0)) break;
    found.push(new Date(at).toISOString());
  }
  return found;
}

function theirs(croner: string, zone: string, afterMs: number, count: number): string[] {
  const cron = new Cron(croner, { timezone: zone, paused: true, mode: '7-part' });
  return cron
    .nextRuns(count, new Date(afterMs))
    .map((date) => date.toISOString())
    .filter((date) => date < '2040');
}

test.each(Array.from({ length: 10 }, (_, seed) => seed))(
  'without changes of the clocks both fire alike (seed %d)',
  (seed) => {
    const draw = new Draw(seed);
    for (let round = 0; round < 60; round += 1) {
      const [aws, croner] = expression(draw);
      const zone = draw.of(['UTC', 'Asia/Kolkata', 'Asia/Tokyo', 'America/Phoenix']);
      const afterMs = Date.UTC(
        2027,
        draw.below(12),
        1 + draw.below(28),
        draw.below(24),
        draw.below(60),
        draw.below(60),
      );
      const told = `${aws} = ${croner} in ${zone} after ${new Date(afterMs).toISOString()}`;
      expect([told, ours(aws, zone, afterMs, 4)]).toEqual([told, theirs(croner, zone, afterMs, 4)]);
    }
  },
);

/** A day on which clocks change, and the zone's offsets from UTC in hours, before and after. */
const changes: readonly (readonly [zone: string, date: string, before: number, after: number])[] = [
  ['Europe/Berlin', '2027-03-28', 1, 2],
  ['Europe/Berlin', '2027-10-31', 2, 1],
  ['America/New_York', '2027-03-14', -5, -4],
  ['America/New_York', '2027-11-07', -4, -5],
  ['Australia/Lord_Howe', '2027-04-04', 11, 10.5],
  ['Australia/Lord_Howe', '2027-10-03', 10.5, 11],
  // At midnight.
  ['America/Santiago', '2027-04-04', -3, -4],
  ['America/Santiago', '2027-09-05', -4, -3],
];

const hourMs = 3_600_000;

/**
 * What AWS's documentation makes of croner's times on the clock ("Daylight savings time on EventBridge Scheduler"): a
 * time that the clocks skip doesn't fire, one that comes twice fires the first time. Croner itself fires later, or twice.
 */
function onClocks(croner: string, zone: string, offsets: readonly number[], afterMs: number, count: number): string[] {
  const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const shows = (timeMs: number) => `${clock.format(timeMs).replace(' ', 'T')}.000Z`;
  const times = theirs(croner, 'UTC', afterMs + Math.min(...offsets) * hourMs - hourMs, count * 8);
  return times
    .map((local) => offsets.map((hours) => Date.parse(local) - hours * hourMs).filter((at) => shows(at) === local))
    .filter((instants) => instants.length > 0)
    .map((instants) => Math.min(...instants))
    .filter((at) => at > afterMs)
    .slice(0, count)
    .map((at) => new Date(at).toISOString());
}

test.each(changes)('in %s both fire alike when the clocks change on %s', (zone, date, ...offsets) => {
  const draw = new Draw(Date.parse(date) / 1000);
  for (let round = 0; round < 15; round += 1) {
    const minute = draw.of(['0', '30', '15,45', '*/10', '7']);
    const hour = draw.of(['0', '1', '2', '3', '0-3', '*', '23']);
    const [aws, croner] = [`cron(${minute} ${hour} * * ? *)`, `0 ${minute} ${hour} * * * *`];
    const afterMs = Date.parse(date) - 24 * hourMs + draw.below(48) * hourMs;
    const told = `${aws} in ${zone} after ${new Date(afterMs).toISOString()}`;
    expect([told, ours(aws, zone, afterMs, 8)]).toEqual([told, onClocks(croner, zone, offsets, afterMs, 8)]);
  }
});
