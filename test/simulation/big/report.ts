import { totalOf } from '../../../bench/billing.ts';
import { number, table } from '../../../bench/table.ts';
import type { Usage } from '../../../bench/usage.ts';
import { listening, upkeep } from './census.ts';
import type { Day } from './day.ts';
import { computeDollars, controlPlane, requestsOf, type Verdict, verdictOf } from './verdict.ts';
import type { Spread, WaitKind } from './waits.ts';

export interface Fleets {
  small: Day;
  big: Day;
}

const million = 1e6;

/** The report's tables, as text. */
export function render(fleets: Fleets, machine: string): string {
  const { small, big } = fleets;
  return [
    heading(fleets, machine),
    aims(verdictOf(fleets)),
    requests(fleets),
    upkeepOf(fleets),
    waits(fleets),
    throttles(big),
    peaks(fleets),
    dollars(fleets),
    work(small, big),
  ].join('\n\n');
}

function heading({ small, big }: Fleets, machine: string): string {
  const { agents, tasks, hours, seed } = big.plan;
  return `${count(agents)} agents, ${count(tasks)} tasks, ${hours} hours, seed ${seed}; beside it ${small.plan.agents} agents with ${small.plan.tasks} tasks\n${machine}`;
}

function aims(verdict: Verdict): string {
  const rows = verdict.aims.map(({ what, aim, measured, met }) => [what, aim, measured, met ? 'met' : 'MISSED']);
  return `Aims\n${table([['', 'aim', 'measured', ''], ...rows])}`;
}

function requests({ small, big }: Fleets): string {
  const [a, b] = [requestsOf(small), requestsOf(big)];
  const kinds = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => (b.get(y) ?? 0) - (b.get(x) ?? 0));
  const row = (name: string, one: number, other: number) => [
    name,
    number(one, 2),
    number(other, 2),
    one === 0 ? '' : `${((other / one - 1) * 100).toFixed(1)} %`,
  ];
  const rows = kinds.map((kind) => row(kind, a.get(kind) ?? 0, b.get(kind) ?? 0));
  const sum = (all: Map<string, number>) => [...all.values()].reduce((total, one) => total + one, 0);
  const heads = ['', `${small.plan.agents} agents`, `${count(big.plan.agents)} agents`, ''];
  return `Requests per task\n${table([heads, ...rows, row('sum', sum(a), sum(b))])}`;
}

/** What a deployment asks for by itself, in an hour. */
function upkeepOf({ small, big }: Fleets): string {
  const perHour = (day: Day, name: string) => callsOf(day.usage, name) / day.plan.hours;
  const rows = [upkeep, listening].map((name) => [
    name === upkeep ? 'the sweep, and the looks at the whole fleet' : 'long polls of the shims',
    perHour(small, name).toFixed(0),
    perHour(big, name).toFixed(0),
  ]);
  const heads = ['', `${small.plan.agents} agents`, `${count(big.plan.agents)} agents`];
  return `Polling and the sweep, requests per hour\n${table([heads, ...rows])}`;
}

const waitNames: Record<WaitKind, string> = {
  warm: 'its runtime waits for work',
  busy: 'its agent has another task to do',
  cold: 'its agent is woken',
  nightly: 'the nightly moment: all agents are woken at once',
};

function waits({ small, big }: Fleets): string {
  const row = (name: string, { tasks, p50, p90, p99, max }: Spread) => [
    name,
    String(tasks),
    ...[p50, p90, p99, max].map((seconds) => seconds.toFixed(1)),
  ];
  const part = (day: Day) => [
    [`${count(day.plan.agents)} agents`, '', '', '', '', ''],
    ...(Object.keys(waitNames) as WaitKind[]).map((kind) => row(`  ${waitNames[kind]}`, day.waits[kind])),
  ];
  const heads = ['', 'tasks', 'p50', 'p90', 'p99', 'max'];
  return `Seconds from the submission to the start\n${table([heads, ...part(small), ...part(big)])}`;
}

function throttles({ throttled, complaints }: Day): string {
  const rows = Object.entries(throttled).map(([kind, times]) => [kind, count(times)]);
  const logged = Object.entries(complaints).map(([message, times]) => [message, count(times)]);
  return [
    'Throttled calls of the big fleet, each try counted',
    rows.length === 0 ? '  none' : table([['', 'tries'], ...rows]),
    'What its functions logged above INFO',
    logged.length === 0 ? '  nothing' : table([['', 'times'], ...logged]),
  ].join('\n');
}

function peaks({ small, big }: Fleets): string {
  const before = new Map(small.peaks.map((peak) => [peak.name, peak.perSecond]));
  const rows = big.peaks.map(({ name, perSecond, limit, isEnforced }) => [
    name,
    rounded(before.get(name) ?? 0),
    rounded(perSecond),
    count(limit),
    isEnforced ? 'enforced' : '',
  ]);
  const heads = ['', `${small.plan.agents} agents`, `${count(big.plan.agents)} agents`, 'limit', ''];
  return `The busiest second of what AWS limits\n${table([heads, ...rows])}`;
}

function dollars({ small, big }: Fleets): string {
  const [a, b] = [controlPlane(small), controlPlane(big)];
  const perMillion = (day: Day, sum: number) => ((sum / day.accepted) * million).toFixed(2);
  const rows = Object.keys(b).map((name) => {
    const key = name as keyof typeof b;
    return [name, perMillion(small, a[key]), perMillion(big, b[key])];
  });
  const heads = ['', `${small.plan.agents} agents`, `${count(big.plan.agents)} agents`];
  const compute = (day: Day) => `$${computeDollars(day).toFixed(2)}`;
  return [
    'Dollars per million tasks',
    table([heads, ...rows, ['sum', perMillion(small, totalOf(a)), perMillion(big, totalOf(b))]]),
    `  Fargate besides, of this day: ${compute(small)} for ${count(small.fargate.tasks)} containers, ${compute(big)} for ${count(big.fargate.tasks)}`,
  ].join('\n');
}

function work(small: Day, big: Day): string {
  const row = (what: string, of: (day: Day) => string) => [what, of(small), of(big)];
  return `The run\n${table([
    ['', `${small.plan.agents} agents`, `${count(big.plan.agents)} agents`],
    row('tasks', (day) => count(day.accepted)),
    row('AWS calls', (day) => count(Object.keys(day.usage).reduce((sum, name) => sum + callsOf(day.usage, name), 0))),
    row('writes of the state table', (day) => count(day.rowsWritten)),
    row('containers', (day) => count(day.fargate.tasks)),
    row('wall time, minutes', (day) => (day.wallSeconds / 60).toFixed(1)),
    row('CPU time, minutes', (day) => (day.cpuSeconds / 60).toFixed(1)),
    row('memory at its most, MiB', (day) => count(day.peakMemoryMiB)),
  ])}`;
}

function callsOf(usage: Usage, name: string): number {
  return Object.values(usage[name]?.requests ?? {}).reduce((sum, one) => sum + one.count, 0);
}

function rounded(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toFixed(1).replace(/\.0$/, '');
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
