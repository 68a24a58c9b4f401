import type { Work } from '../programs.ts';
import type { Random } from '../random.ts';
import type { BigPlan } from './plan.ts';

/** A task that a customer submits by day. */
export interface Arrival {
  atMs: number;
  work: Work;
}

const hourMs = 3_600_000;
const minuteMs = 60_000;
const dayHours = 24;
/** How busy each hour of a day is that begins at nine in the morning: an office, with some who stay late or rise early. */
const curve = [18, 20, 18, 14, 17, 20, 19, 17, 13, 9, 6, 5, 4, 3, 2, 1, 0, 0, 0, 1, 2, 4, 8, 14];
/** When in the day all agents get a task at once: at two in the morning. */
const nightlyHour = 17;
/** A customer gives an agent something to do, and soon after something more: a visit has so many tasks. */
const tasksOfVisit = 3;
/** Between two tasks of a visit: less than the idle time, so that the next one finds a runtime. */
const gapSeconds = { min: 5, max: 40 };
/** What comes in the last minutes would not end before the day does. */
const lastMs = 10 * minuteMs;

/** When all agents get a task at once, each by a schedule of its own. */
export function nightlyMs({ hours }: BigPlan, startMs: number): number {
  return Math.floor((startMs + (nightlyHour / dayHours) * hours * hourMs) / minuteMs) * minuteMs;
}

/** What an agent gets besides its nightly task. The first one saves the workspace. */
export function arrivalsOf(random: Random, plan: BigPlan, startMs: number): Arrival[] {
  const count = plan.tasks / plan.agents - 1;
  const arrivals: Arrival[] = [];
  let atMs = startMs;
  for (let number = 0; number < count; number++) {
    if (number % tasksOfVisit === 0) atMs = momentOf(random, plan, startMs);
    else atMs += Math.round(random.between(gapSeconds.min, gapSeconds.max) * 1000);
    arrivals.push({ atMs, work: workOf(random, number) });
  }
  const [first] = arrivals;
  if (first) first.work.saves = true;
  return arrivals;
}

/** Mostly some seconds, now and then minutes. */
export function workOf(random: Random, number: number): Work {
  const seconds = 2 + random.exponential(random.chance(0.15) ? 120 : 10);
  return { number, seconds: Math.round(seconds * 10) / 10 };
}

function momentOf(random: Random, { hours }: BigPlan, startMs: number): number {
  const hour = random.weighted([...curve.keys()], (index) => curve[index] ?? 0);
  const atMs = startMs + ((hour + random.next()) / dayHours) * hours * hourMs;
  return Math.min(Math.round(atMs), startMs + hours * hourMs - lastMs);
}
