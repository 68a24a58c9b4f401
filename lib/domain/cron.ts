/** The six fields of `cron(…)` as EventBridge Scheduler has them: minutes, hours, day of month, month, day of week, year. */

/** A field says something that it can't. The message is a sentence about the expression. */
export class CronError extends Error {}

export interface Cron {
  minutes: readonly number[];
  hours: readonly number[];
  months: readonly number[];
  years: readonly number[];
  /** Whether it fires on a day. */
  isDay(day: CalendarDay): boolean;
}

interface CalendarDay {
  day: number;
  /** Days of its month. */
  length: number;
  /** Of its month's first day, 1 is Sunday. */
  firstWeekday: number;
}

interface Field {
  name: string;
  min: number;
  max: number;
  /** What its values may be called, from `min` on. */
  names?: readonly string[];
}

const fields = {
  minutes: { name: 'minutes', min: 0, max: 59 },
  hours: { name: 'hours', min: 0, max: 23 },
  dayOfMonth: { name: 'day-of-month', min: 1, max: 31 },
  month: {
    name: 'month',
    min: 1,
    max: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  dayOfWeek: { name: 'day-of-week', min: 1, max: 7, names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
  year: { name: 'year', min: 1970, max: 2199 },
} as const satisfies Record<string, Field>;

/** @throws CronError */
export function parseCron(text: string): Cron {
  const parts = text.trim().toUpperCase().split(/\s+/);
  if (parts.length !== 6) throw new CronError(`cron(…) has six fields, not ${parts.length}.`);
  const [minutes, hours, dayOfMonth, month, dayOfWeek, year] = parts as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if ((dayOfMonth === '?') === (dayOfWeek === '?'))
    throw new CronError(
      `Exactly one of day-of-month and day-of-week must be "?", not "${dayOfMonth}" and "${dayOfWeek}".`,
    );
  return {
    minutes: valuesOf(minutes, fields.minutes),
    hours: valuesOf(hours, fields.hours),
    months: valuesOf(month, fields.month),
    years: valuesOf(year, fields.year),
    isDay: dayOfMonth === '?' ? weekdayRule(dayOfWeek) : monthDayRule(dayOfMonth),
  };
}

/** Times that a clock on the wall shows, in order, from the minute of `fromMs` on, as milliseconds as if they were UTC. */
export function* wallTimes(cron: Cron, fromMs: number): Generator<number> {
  const from = new Date(fromMs);
  const firstMonth = Date.UTC(from.getUTCFullYear(), from.getUTCMonth());
  const firstMinute = Math.floor(fromMs / 60_000) * 60_000;
  for (const year of cron.years) {
    if (year < from.getUTCFullYear()) continue;
    for (const month of cron.months) {
      if (Date.UTC(year, month - 1) < firstMonth) continue;
      for (const dayMs of daysOf(cron, year, month)) {
        if (dayMs + 86_400_000 <= firstMinute) continue;
        for (const hour of cron.hours)
          for (const minute of cron.minutes) {
            const timeMs = dayMs + (hour * 60 + minute) * 60_000;
            if (timeMs >= firstMinute) yield timeMs;
          }
      }
    }
  }
}

function daysOf(cron: Cron, year: number, month: number): number[] {
  const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
  const firstWeekday = new Date(Date.UTC(year, month - 1)).getUTCDay() + 1;
  return Array.from({ length }, (_, i) => i + 1)
    .filter((day) => cron.isDay({ day, length, firstWeekday }))
    .map((day) => Date.UTC(year, month - 1, day));
}

const weekdayOf = ({ firstWeekday }: CalendarDay, day: number) => ((firstWeekday + day - 2) % 7) + 1;
const [sunday, saturday] = [1, 7];

function monthDayRule(text: string): Cron['isDay'] {
  if (text === 'L') return ({ day, length }) => day === length;
  const nearest = /^(\d+)W$/.exec(text)?.[1];
  if (nearest === undefined) {
    const days = valuesOf(text, fields.dayOfMonth);
    return ({ day }) => days.includes(day);
  }
  const wanted = numberOf(nearest, fields.dayOfMonth);
  return (date) => wanted <= date.length && date.day === nearestWorkday(date, wanted);
}

/** The day from Monday to Friday that is nearest, in the same month. */
function nearestWorkday(date: CalendarDay, day: number): number {
  const weekday = weekdayOf(date, day);
  if (weekday === saturday) return day === 1 ? 3 : day - 1;
  if (weekday === sunday) return day === date.length ? day - 2 : day + 1;
  return day;
}

function weekdayRule(text: string): Cron['isDay'] {
  if (text === 'L') return (date) => weekdayOf(date, date.day) === saturday;
  const last = /^(\w+)L$/.exec(text)?.[1];
  if (last !== undefined) {
    const weekday = numberOf(last, fields.dayOfWeek);
    return (date) => weekdayOf(date, date.day) === weekday && date.day + 7 > date.length;
  }
  const [, name, ordinal] = /^(\w+)#(\d+)$/.exec(text) ?? [];
  if (name !== undefined && ordinal !== undefined) {
    const weekday = numberOf(name, fields.dayOfWeek);
    const nth = numberOf(ordinal, { name: 'the number after #', min: 1, max: 5 });
    return (date) => weekdayOf(date, date.day) === weekday && Math.ceil(date.day / 7) === nth;
  }
  const weekdays = valuesOf(text, fields.dayOfWeek);
  return (date) => weekdays.includes(weekdayOf(date, date.day));
}

/** Lists, ranges, steps and names. A range may pass the end, as FRI-MON does, but not of the years. */
function valuesOf(text: string, field: Field): number[] {
  const size = field.max - field.min + 1;
  const found = new Set<number>();
  for (const item of text.split(',')) {
    const [, range, stepText] = /^([^/]+)(?:\/(\d+))?$/.exec(item) ?? [];
    const step = Number(stepText ?? 1);
    const ends = range === '*' ? [String(field.min), String(field.max)] : (range?.split('-') ?? []);
    if (step === 0 || ends.length === 0 || ends.length > 2) throw unknownValue(text, field);
    const first = numberOf(ends[0]!, field);
    const open = ends.length === 1 && stepText !== undefined;
    const last = ends[1] !== undefined ? numberOf(ends[1], field) : open ? field.max : first;
    if (last < first && size > 100) throw unknownValue(text, field);
    for (let value = first; value <= (last < first ? last + size : last); value += step)
      found.add(field.min + ((value - field.min) % size));
  }
  return [...found].sort((a, b) => a - b);
}

function numberOf(text: string, field: Field): number {
  const named = field.names?.indexOf(text) ?? -1;
  const value = named >= 0 ? field.min + named : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= field.min && value <= field.max) return value;
  throw unknownValue(text, field);
}

function unknownValue(text: string, { name, min, max }: Field): CronError {
  return new CronError(`${name} goes from ${min} to ${max} and can't be "${text}".`);
}
