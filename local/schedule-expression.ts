/** `cron(…)`, `rate(…)` and `at(…)` of EventBridge Scheduler. */
export type ScheduleExpression =
  | { kind: 'at'; localMs: number }
  | { kind: 'rate'; periodMs: number }
  | { kind: 'cron'; cron: Cron };

interface Cron {
  minutes: number[];
  hours: number[];
  /** Days of a month (1 to 12) in order. */
  days(year: number, month: number): number[];
  months: number[];
  years: number[];
}

/** The expression or the time zone is not one that EventBridge Scheduler takes. */
export class ScheduleExpressionError extends Error {}

const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const parsed = new Map<string, ScheduleExpression>();

/** @throws ScheduleExpressionError */
export function parseScheduleExpression(expression: string): ScheduleExpression {
  const known = parsed.get(expression);
  if (known) return known;
  const result = parse(expression);
  if (parsed.size > 1000) parsed.clear();
  parsed.set(expression, result);
  return result;
}

/**
 * The first time after `afterMs` at which the expression fires, or undefined when it never does again.
 * Local times that a change to summer time skips do not fire; those that come twice in autumn fire the first time.
 *
 * @param startMs when a rate fires first: it fires then and at each multiple of its period from there
 * @throws ScheduleExpressionError
 */
export function nextFire(expression: string, timezone: string, afterMs: number, startMs = afterMs): number | undefined {
  const schedule = parseScheduleExpression(expression);
  switch (schedule.kind) {
    case 'rate':
      if (afterMs < startMs) return startMs;
      return startMs + (Math.floor((afterMs - startMs) / schedule.periodMs) + 1) * schedule.periodMs;
    case 'at': {
      const timeMs = toUtc(schedule.localMs, timezone);
      return timeMs !== undefined && timeMs > afterMs ? timeMs : undefined;
    }
    case 'cron': {
      for (const localMs of localTimes(schedule.cron, afterMs + offsetMs(timezone, afterMs))) {
        const timeMs = toUtc(localMs, timezone);
        if (timeMs !== undefined && timeMs > afterMs) return timeMs;
      }
      return undefined;
    }
    default:
      return schedule satisfies never;
  }
}

function parse(expression: string): ScheduleExpression {
  const [, kind, content] = /^(at|rate|cron)\((.*)\)$/.exec(expression) ?? [];
  if (kind === 'at' && content !== undefined) return { kind, localMs: parseAt(content, expression) };
  if (kind === 'rate' && content !== undefined) return { kind, periodMs: parseRate(content, expression) };
  if (kind === 'cron' && content !== undefined) return { kind, cron: parseCron(content, expression) };
  throw refusal(
    expression,
    'it must be at(yyyy-mm-ddThh:mm:ss), rate(value unit) or cron(minutes hours day-of-month month day-of-week year)',
  );
}

function parseAt(content: string, expression: string): number {
  const localMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(content) ? Date.parse(`${content}Z`) : Number.NaN;
  if (Number.isNaN(localMs) || new Date(localMs).toISOString().slice(0, 19) !== content)
    throw refusal(expression, 'at takes a date and time as yyyy-mm-ddThh:mm:ss');
  return localMs;
}

function parseRate(content: string, expression: string): number {
  const [, value, unit] = /^([1-9]\d*) (minute|hour|day)s?$/.exec(content) ?? [];
  if (!value || !unit) throw refusal(expression, 'rate takes a positive whole number and minutes, hours or days');
  return Number(value) * unitMs[unit]!;
}

function parseCron(content: string, expression: string): Cron {
  const fields = content.trim().split(/\s+/);
  if (fields.length !== 6) throw refusal(expression, `cron takes six fields, not ${fields.length}`);
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = fields.map((field) => field.toUpperCase()) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if ((dayOfMonth === '?') === (dayOfWeek === '?'))
    throw refusal(expression, 'exactly one of day-of-month and day-of-week must be ?');
  const refuse = (reason: string) => refusal(expression, reason);
  return {
    minutes: values(minutes, { name: 'minutes', min: 0, max: 59 }, refuse),
    hours: values(hours, { name: 'hours', min: 0, max: 23 }, refuse),
    days: dayOfMonth === '?' ? weekdayRule(dayOfWeek, refuse) : monthDayRule(dayOfMonth, refuse),
    months: values(month, { name: 'month', min: 1, max: 12, names: monthNames }, refuse),
    years: values(year, { name: 'year', min: 1970, max: 2199 }, refuse),
  };
}

interface Field {
  name: string;
  min: number;
  max: number;
  /** Names of the values, from `min` on. */
  names?: string[];
}

type Refuse = (reason: string) => ScheduleExpressionError;

/** Values of a field with lists, ranges, steps and names, in order. A range may pass the end: FRI-MON. */
function values(text: string, field: Field, refuse: Refuse): number[] {
  const found = new Set<number>();
  for (const item of text.split(',')) {
    const [, range, stepText] = /^([^/]+)(?:\/(\d+))?$/.exec(item) ?? [];
    const step = stepText === undefined ? 1 : Number(stepText);
    if (range === undefined || step === 0) throw refuse(`${field.name} cannot be ${text}`);
    const ends = range === '*' ? [] : range.split('-');
    if (ends.length > 2) throw refuse(`${field.name} cannot be ${text}`);
    const from = ends[0] === undefined ? field.min : fieldValue(ends[0], field, refuse);
    const single = ends.length === 1 && stepText === undefined;
    const to = ends[1] === undefined ? (single ? from : field.max) : fieldValue(ends[1], field, refuse);
    if (to < from && field.name === 'year') throw refuse(`year cannot be ${text}`);
    const size = field.max - field.min + 1;
    const last = to < from ? to + size : to;
    for (let value = from; value <= last; value += step) found.add(field.min + ((value - field.min) % size));
  }
  return [...found].sort((a, b) => a - b);
}

function fieldValue(text: string, field: Field, refuse: Refuse): number {
  const named = field.names?.indexOf(text) ?? -1;
  const value = named >= 0 ? field.min + named : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= field.min && value <= field.max))
    throw refuse(`${field.name} goes from ${field.min} to ${field.max}, not ${text}`);
  return value;
}

const daysIn = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();
/** 1 is Sunday. */
const weekdayOf = (year: number, month: number, day: number) =>
  new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 1;

function monthDayRule(text: string, refuse: Refuse): Cron['days'] {
  if (text === 'L') return (year, month) => [daysIn(year, month)];
  const weekday = /^(\d+)W$/.exec(text)?.[1];
  if (weekday !== undefined) {
    const wanted = fieldValue(weekday, { name: 'day-of-month', min: 1, max: 31 }, refuse);
    return (year, month) => (wanted > daysIn(year, month) ? [] : [nearestWeekday(year, month, wanted)]);
  }
  const days = values(text, { name: 'day-of-month', min: 1, max: 31 }, refuse);
  return (year, month) => days.filter((day) => day <= daysIn(year, month));
}

/** The day from Monday to Friday that is nearest, in the same month. */
function nearestWeekday(year: number, month: number, day: number): number {
  const weekday = weekdayOf(year, month, day);
  if (weekday === 7) return day > 1 ? day - 1 : day + 2;
  if (weekday === 1) return day < daysIn(year, month) ? day + 1 : day - 2;
  return day;
}

function weekdayRule(text: string, refuse: Refuse): Cron['days'] {
  const field = { name: 'day-of-week', min: 1, max: 7, names: dayNames };
  const allOf = (year: number, month: number, weekdays: number[]) =>
    Array.from({ length: daysIn(year, month) }, (_, index) => index + 1).filter((day) =>
      weekdays.includes(weekdayOf(year, month, day)),
    );
  if (text === 'L') return (year, month) => allOf(year, month, [7]);
  const last = /^(\w+)L$/.exec(text)?.[1];
  if (last !== undefined) {
    const weekday = fieldValue(last, field, refuse);
    return (year, month) => allOf(year, month, [weekday]).slice(-1);
  }
  const [, name, ordinal] = /^(\w+)#(\d+)$/.exec(text) ?? [];
  if (name !== undefined) {
    const weekday = fieldValue(name, field, refuse);
    const nth = fieldValue(ordinal!, { name: 'the number after #', min: 1, max: 5 }, refuse);
    return (year, month) => allOf(year, month, [weekday]).slice(nth - 1, nth);
  }
  const weekdays = values(text, field, refuse);
  return (year, month) => allOf(year, month, weekdays);
}

/** Local times of a cron expression from the minute of `fromLocalMs` on, as if they were UTC. */
function* localTimes(cron: Cron, fromLocalMs: number): Generator<number> {
  const from = new Date(fromLocalMs);
  const fromMonth = from.getUTCFullYear() * 12 + from.getUTCMonth();
  const fromDay = Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate());
  const fromMinute = Math.floor(fromLocalMs / 60_000) * 60_000;
  for (const year of cron.years) {
    for (const month of cron.months) {
      if (year * 12 + month - 1 < fromMonth) continue;
      for (const day of cron.days(year, month)) {
        if (Date.UTC(year, month - 1, day) < fromDay) continue;
        for (const hour of cron.hours) {
          for (const minute of cron.minutes) {
            const localMs = Date.UTC(year, month - 1, day, hour, minute);
            if (localMs >= fromMinute) yield localMs;
          }
        }
      }
    }
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** @throws ScheduleExpressionError for an unknown time zone */
export function offsetMs(timezone: string, timeMs: number): number {
  if (timezone === 'UTC') return 0;
  let format = formats.get(timezone);
  if (!format) {
    format = formatOf(timezone);
    formats.set(timezone, format);
  }
  const parts: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(timeMs)) parts[type] = Number(value);
  const localMs = Date.UTC(parts.year!, parts.month! - 1, parts.day, parts.hour, parts.minute, parts.second);
  return localMs - Math.floor(timeMs / 1000) * 1000;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    if (/^[+-]/.test(timeZone)) throw new RangeError();
    const two = '2-digit';
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: two,
      day: two,
      hour: two,
      minute: two,
      second: two,
    });
  } catch {
    throw new ScheduleExpressionError(
      `The time zone ${timeZone} is not valid: it must be an IANA name such as Europe/Berlin or UTC.`,
    );
  }
}

/** The first time at which clocks show the local time, or undefined when they skip it. */
function toUtc(localMs: number, timezone: string): number | undefined {
  const dayMs = 86_400_000;
  const offsets = [offsetMs(timezone, localMs - dayMs), offsetMs(timezone, localMs + dayMs)];
  const times = offsets
    .map((offset) => localMs - offset)
    .filter((timeMs) => timeMs + offsetMs(timezone, timeMs) === localMs);
  return times.length > 0 ? Math.min(...times) : undefined;
}

function refusal(expression: string, reason: string): ScheduleExpressionError {
  return new ScheduleExpressionError(`Invalid Schedule Expression ${expression}: ${reason}.`);
}
