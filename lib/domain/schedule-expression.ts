import { type Cron, CronError, parseCron, wallTimes } from './cron.ts';
import { checkTimeZone, momentOf, wallTimeOf } from './time-zone.ts';

/** `cron(…)`, `rate(…)` and `at(…)`: the times at which EventBridge Scheduler fires, so that Rouse can tell them too. */

export type ScheduleExpression =
  | { kind: 'cron'; cron: Cron }
  | { kind: 'rate'; periodMs: number }
  | { kind: 'at'; wallMs: number };

/** The expression is none. The message is a sentence that says what is allowed. */
export class ScheduleExpressionError extends Error {}

/** When something fires: an expression, and where and when it counts. */
export interface Timing {
  expression: string;
  timezone: string;
  /** A moment from which a rate counts, forwards and backwards. */
  anchorMs: number;
  /** No occurrence before this, or after that; a one-time schedule has neither. */
  startMs?: number | undefined;
  endMs?: number | undefined;
}

const longest = 256;
const unitMs: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const known = new Map<string, ScheduleExpression>();
const knownAtMost = 1000;

/** @throws ScheduleExpressionError */
export function parseScheduleExpression(text: string): ScheduleExpression {
  let expression = known.get(text);
  if (!expression) {
    expression = parse(text);
    if (known.size >= knownAtMost) known.clear();
    known.set(text, expression);
  }
  return expression;
}

/** @throws ScheduleExpressionError @throws UnknownTimeZone */
export function checkTiming(timing: Pick<Timing, 'expression' | 'timezone'>): void {
  parseScheduleExpression(timing.expression);
  checkTimeZone(timing.timezone);
}

/** The first occurrence after a moment, or undefined when there is none any more. */
export function nextOccurrence(timing: Timing, afterMs: number): number | undefined {
  const expression = parseScheduleExpression(timing.expression);
  if (expression.kind === 'at') {
    const momentMs = momentOf(expression.wallMs, timing.timezone);
    return momentMs !== undefined && momentMs > afterMs ? momentMs : undefined;
  }
  const fromMs = Math.max(afterMs, (timing.startMs ?? Number.NEGATIVE_INFINITY) - 1);
  const nextMs =
    expression.kind === 'rate'
      ? nextMultiple(timing.anchorMs, expression.periodMs, fromMs)
      : nextCronTime(expression.cron, timing.timezone, fromMs);
  return nextMs !== undefined && nextMs <= (timing.endMs ?? Number.POSITIVE_INFINITY) ? nextMs : undefined;
}

/** Occurrences after one moment and up to another, in order, at most so many. */
export function occurrences(timing: Timing, afterMs: number, untilMs: number, limit: number): number[] {
  const found: number[] = [];
  let nextMs = nextOccurrence(timing, afterMs);
  while (nextMs !== undefined && nextMs <= untilMs && found.length < limit) {
    found.push(nextMs);
    nextMs = nextOccurrence(timing, nextMs);
  }
  return found;
}

function nextMultiple(anchorMs: number, periodMs: number, afterMs: number): number {
  return anchorMs + (Math.floor((afterMs - anchorMs) / periodMs) + 1) * periodMs;
}

function nextCronTime(cron: Cron, zone: string, afterMs: number): number | undefined {
  for (const wallMs of wallTimes(cron, wallTimeOf(afterMs, zone))) {
    const momentMs = momentOf(wallMs, zone);
    if (momentMs !== undefined && momentMs > afterMs) return momentMs;
  }
  return undefined;
}

function parse(text: string): ScheduleExpression {
  if (text.length > longest) throw refusal(text, `Received ${text.length} characters; at most ${longest} are allowed.`);
  const [, kind, content] = /^(cron|rate|at)\((.*)\)$/.exec(text) ?? [];
  if (kind === 'cron') return { kind, cron: cronOf(content!, text) };
  if (kind === 'rate') return { kind, periodMs: periodOf(content!, text) };
  if (kind === 'at') return { kind, wallMs: wallTimeIn(content!, text) };
  throw refusal(
    text,
    'Allowed are cron(minutes hours day-of-month month day-of-week year), rate(5 minutes) and at(2027-01-31T09:00:00).',
  );
}

function cronOf(content: string, text: string): Cron {
  try {
    return parseCron(content);
  } catch (error) {
    throw error instanceof CronError ? refusal(text, error.message) : error;
  }
}

function periodOf(content: string, text: string): number {
  const [, count, unit] = /^([1-9]\d{0,8}) (minute|hour|day)s?$/.exec(content) ?? [];
  if (!count || !unit) throw refusal(text, 'rate(…) takes a whole number and minutes, hours or days: rate(5 minutes).');
  return Number(count) * unitMs[unit]!;
}

function wallTimeIn(content: string, text: string): number {
  const wallMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(content) ? Date.parse(`${content}Z`) : Number.NaN;
  if (Number.isNaN(wallMs) || new Date(wallMs).toISOString().slice(0, 19) !== content)
    throw refusal(text, 'at(…) takes a date and time like 2027-01-31T09:00:00, without a zone.');
  return wallMs;
}

function refusal(text: string, why: string): ScheduleExpressionError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return new ScheduleExpressionError(`Received "${shown}". ${why}`);
}
