import { type Bill, billOf, totalOf } from './billing.ts';
import type { TaskShare } from './load.ts';
import type { Figures } from './main.ts';
import { mean, median, percentile } from './statistics.ts';
import { requestCount, type Usage, withDurationsOf, without } from './usage.ts';

/** Milliseconds. */
export interface Spread {
  p50: number;
  p99: number;
  samples: number;
}

export interface Aim {
  what: string;
  aim: string;
  measured: string;
  met: boolean;
}

/** What the figures come to. Dollars are for a million tasks. */
export interface Summary {
  aims: Aim[];
  milliseconds: {
    putItem: Spread;
    submitToStarted: Spread;
    submitToFinished: Spread;
    wakeToStarted: Spread;
    wakeFromPoolToStarted: Spread;
  };
  /** Of the medians. */
  timesPutItem: { submitToStarted: number; submitToFinished: number };
  callsToStarted: number;
  tasksPerSecond: Record<string, number>;
  dollarsPerMillion: { busy: Bill; busyOfMany: Bill; sparse: Bill };
  /** The same with the means of the functions' durations, which contain this machine's stalls. */
  dollarsByMean: { busy: number; sparse: number };
  /** Busy, with tasks so long that the recorder gets nothing together. */
  dollarsBusySlow: number;
  /** Without the recorder, whose batches are the fuller the more goes on. */
  requestsPerTask: { oneAgent: number; manyAgents: number; sparse: number };
}

const million = 1e6;
const aims = { startedTimesPutItem: 20, busyDollars: 10, sparseDollars: 13, requestGrowth: 1.05 };

export function summaryOf(figures: Figures): Summary {
  const { latency, sparse, busy, extras } = figures;
  const one = busy[0];
  const many = busy.at(-1);
  if (!one || !many) throw new Error('No load of busy agents was measured.');
  const putItem = spread(latency.putItem);
  const submitToStarted = spread(latency.submitToStarted);
  const submitToFinished = spread(latency.submitToFinished);
  const partial = {
    milliseconds: {
      putItem,
      submitToStarted,
      submitToFinished,
      wakeToStarted: spread(extras.wakeCycle.submitToStarted),
      wakeFromPoolToStarted: spread(extras.wakeFromPool),
    },
    timesPutItem: {
      submitToStarted: submitToStarted.p50 / putItem.p50,
      submitToFinished: submitToFinished.p50 / putItem.p50,
    },
    callsToStarted: median(latency.callsToStarted),
    tasksPerSecond: Object.fromEntries(busy.map(({ agents, tasksPerSecond }) => [agents, tasksPerSecond])),
    dollarsPerMillion: {
      busy: perMillion(one),
      busyOfMany: perMillion({ ...many, usage: withDurationsOf(many.usage, one.usage) }),
      sparse: perMillion(sparse),
    },
    dollarsByMean: { busy: totalOf(perMillion(byMean(one))), sparse: totalOf(perMillion(byMean(sparse))) },
    dollarsBusySlow: totalOf(perMillion({ ...one, usage: { ...one.usage, record: sparse.usage.record! } })),
    requestsPerTask: { oneAgent: requests(one), manyAgents: requests(many), sparse: requests(sparse) },
  };
  return { aims: aimsOf(partial, many.agents), ...partial };
}

function aimsOf(summary: Omit<Summary, 'aims'>, agents: number): Aim[] {
  const { timesPutItem, dollarsPerMillion, requestsPerTask } = summary;
  const atMost = (what: string, value: number, limit: number, show: (value: number) => string): Aim => ({
    what,
    aim: `at most ${show(limit)}`,
    measured: show(value),
    met: value <= limit,
  });
  const times = (value: number) => `${value.toFixed(1)} × PutItem`;
  const dollars = (value: number) => `$${value.toFixed(2)} per million`;
  const { oneAgent, manyAgents } = requestsPerTask;
  return [
    atMost('submit → started, p50', timesPutItem.submitToStarted, aims.startedTimesPutItem, times),
    atMost('control plane of a busy agent', totalOf(dollarsPerMillion.busy), aims.busyDollars, dollars),
    atMost('control plane of a sparse agent', totalOf(dollarsPerMillion.sparse), aims.sparseDollars, dollars),
    {
      what: `requests per task with ${agents} agents as with 1`,
      aim: `the same, within ${Math.round((aims.requestGrowth - 1) * 100)} %`,
      measured: `${manyAgents.toFixed(2)} as against ${oneAgent.toFixed(2)}`,
      met: manyAgents <= oneAgent * aims.requestGrowth,
    },
  ];
}

/** Dollars for a million of what one share is of. */
export function perMillion({ usage, logBytes }: { usage: Usage; logBytes: number }): Bill {
  const bill = billOf(usage, logBytes);
  return Object.fromEntries(Object.entries(bill).map(([name, dollars]) => [name, dollars * million])) as Bill;
}

function byMean(share: TaskShare): TaskShare {
  const usage = Object.entries(share.usage).map(([actor, used]) => [actor, { ...used, medianMs: used.meanMs }]);
  return { ...share, usage: Object.fromEntries(usage) };
}

function requests({ usage }: TaskShare): number {
  return requestCount(without(usage, 'record'));
}

function spread(samples: readonly number[]): Spread {
  if (Number.isNaN(mean(samples))) throw new Error('Nothing was timed.');
  return { p50: median(samples), p99: percentile(samples, 99), samples: samples.length };
}
