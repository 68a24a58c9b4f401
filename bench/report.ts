import { chargeNames, totalOf } from './billing.ts';
import type { TaskShare } from './load.ts';
import type { Figures } from './main.ts';
import { prices } from './prices.ts';
import { median } from './statistics.ts';
import { perMillion, type Spread, type Summary, summaryOf } from './summary.ts';
import { number, table } from './table.ts';
import { type ActorUsage, type Requests, requestCount, type Usage, withDurationsOf } from './usage.ts';

/** The report as text, and what it says as data. */
export function render(figures: Figures): { text: string; summary: Summary } {
  const summary = summaryOf(figures);
  const sections = [
    `${figures.date}, ${figures.machine}, ${figures.seconds} s`,
    aims(summary),
    times(figures, summary),
    throughput(figures),
    bill(figures, summary),
    requests(figures),
    apart(figures),
    workflows(figures, summary),
  ];
  return { text: sections.join('\n\n'), summary };
}

const dollars = (value: number) => number(value, 2);

function aims({ aims }: Summary): string {
  const rows = aims.map(({ what, aim, measured, met }) => [what, aim, measured, met ? 'met' : 'MISSED']);
  return `Aims\n${table([['', 'aim', 'measured', ''], ...rows])}`;
}

function times({ latency }: Figures, summary: Summary): string {
  const { putItem, submitToStarted, submitToFinished, wakeToStarted, wakeFromPoolToStarted } = summary.milliseconds;
  const row = (name: string, { p50, p99, samples }: Spread) => [
    name,
    p50.toFixed(1),
    p99.toFixed(1),
    (p50 / putItem.p50).toFixed(1),
    String(samples),
  ];
  const hops = Object.entries(latency.hops).map(([name, samples]) => {
    const p50 = median(samples);
    return [name, p50.toFixed(1), (p50 / putItem.p50).toFixed(1)];
  });
  return [
    'Times in milliseconds, of a program that does nothing (`true`), by HTTP to the embedded AWS',
    table([
      ['', 'p50', 'p99', '× PutItem', 'samples'],
      row('one SDK PutItem, in between', putItem),
      row('submit → started, warm agent', submitToStarted),
      row('submit → finished, warm agent', submitToFinished),
      row('submit → started, from paused', wakeToStarted),
      row('submit → started, from a warm pool', wakeFromPoolToStarted),
    ]),
    '  Where it goes (medians)',
    table([['', 'ms', '× PutItem'], ...hops]),
    `  Up to the start there are ${summary.callsToStarted} AWS calls one after the other: as PutItems, ${(summary.callsToStarted * putItem.p50).toFixed(0)} ms of it.`,
    '  The rest is two requests to the HTTP API, each through a function in a thread of its own, and that client, AWS,',
    '  functions and shims share the cores of one machine. On AWS a wake also waits for Fargate, half a minute or so,',
    `  but not one from a warm pool: here it took ${(wakeToStarted.p50 / wakeFromPoolToStarted.p50).toFixed(1)} times less than one that starts a process.`,
  ].join('\n');
}

function throughput({ busy }: Figures): string {
  const rows = busy.map(({ agents, tasksPerSecond, tasks }) => [
    String(agents),
    tasksPerSecond.toFixed(1),
    String(tasks),
  ]);
  return [
    'Tasks per second, queues never empty',
    table([['agents', 'tasks/s', 'counted'], ...rows]),
    '  One agent is bounded by its round trip, many by this machine: it runs a shim and a process per agent besides the',
    '  functions and all of AWS. On AWS none of them share cores, and an agent does not slow down the others.',
  ].join('\n');
}

function bill({ busy, sparse }: Figures, summary: Summary): string {
  const columns: [string, TaskShare][] = busy.map((load) => [
    `busy, ${load.agents} agent${load.agents === 1 ? '' : 's'}`,
    { ...load, usage: withDurationsOf(load.usage, busy[0]?.usage ?? {}) },
  ]);
  columns.push(['sparse', sparse]);
  const bills = columns.map(([, share]) => perMillion(share));
  const lines = chargeNames.map((name) => [name, ...bills.map((one) => dollars(one[name]))]);
  const byMean = summary.dollarsByMean;
  return [
    'Dollars per million tasks: counted requests, at the list prices of us-east-1',
    table([['', ...columns.map(([name]) => name)], ...lines, ['sum', ...bills.map((one) => dollars(totalOf(one)))]]),
    `  GB-seconds are the median durations measured here × memory. Here a call of DynamoDB takes ${summary.milliseconds.putItem.p50.toFixed(1)} ms with a`,
    '  share of two cores, in AWS some milliseconds of network; neither is the other. By the means, which contain the',
    `  stalls of this machine, the sums are $${byMean.busy.toFixed(2)} (busy, 1 agent) and $${byMean.sparse.toFixed(2)} (sparse). With many agents`,
    '  the durations of one are taken: theirs are mostly the wait for a core, which AWS has not.',
    '  The recorder gets its batches every 250 ms, as Lambda polls a stream: the faster the tasks, the more share one.',
    `  With tasks of some seconds a busy agent's sum is $${summary.dollarsBusySlow.toFixed(2)}.`,
    '  Containers (Fargate) and what is stored come on top. Free tiers are not taken off.',
  ].join('\n');
}

/** One line of the table of requests. */
interface Line {
  busy?: Requests;
  many?: Requests;
  sparse?: Requests;
  dollarsBusy: number;
  dollarsSparse: number;
}

/** What each function asks of AWS for one task, the dearest first. */
function requests({ busy, sparse }: Figures): string {
  const [one, many] = [busy[0], busy.at(-1)];
  const lines = new Map<string, Line>();
  const add = (share: TaskShare | undefined, put: (line: Line, requests: Requests, dollars: number) => void) => {
    for (const { name, requests, usage } of itemsOf(share?.usage ?? {})) {
      const line = lines.get(name) ?? { dollarsBusy: 0, dollarsSparse: 0 };
      put(line, requests, totalOf(perMillion({ usage, logBytes: 0 })));
      lines.set(name, line);
    }
  };
  add(one, (line, found, cost) => Object.assign(line, { busy: found, dollarsBusy: cost }));
  add(many, (line, found) => Object.assign(line, { many: found }));
  add(sparse, (line, found, cost) => Object.assign(line, { sparse: found, dollarsSparse: cost }));
  const show = (requests?: Requests) => number(requests?.count ?? 0, 2);
  const units = (requests?: Requests) => [number(requests?.writeUnits ?? 0, 2), number(requests?.readUnits ?? 0, 2)];
  const rows = [...lines]
    .filter(([, line]) => [line.busy, line.many, line.sparse].some((requests) => show(requests) !== show()))
    .sort(([, a], [, b]) => b.dollarsSparse + b.dollarsBusy - a.dollarsSparse - a.dollarsBusy)
    .map(([name, line]) => [
      name,
      ...[show(line.busy), show(line.many), ...units(line.busy), dollars(line.dollarsBusy)],
      ...[show(line.sparse), ...units(line.sparse), dollars(line.dollarsSparse)],
    ]);
  const heading = ['', 'busy', `${many?.agents} agents`, 'WRU', 'RRU', '$/M', 'sparse', 'WRU', 'RRU', '$/M'];
  return [
    'Requests per task by who makes them, the dearest first (invocations with their GB-seconds and HTTP requests)',
    table([heading, ...rows]),
    '  A row in an index takes two write units to put and two to delete, and one to change what is no key. A write that',
    '  its condition refuses takes one. DynamoDB reads of Lambda from the stream, ECS and STS are free.',
  ].join('\n');
}

function itemsOf(usage: Usage): { name: string; requests: Requests; usage: Usage }[] {
  return Object.entries(usage).flatMap(([actor, used]) => {
    const part = (changes: Partial<ActorUsage>): Usage => ({ [actor]: { ...used, ...changes } });
    const kinds = Object.entries(used.requests).map(([kind, requests]) => ({
      name: `${actor}: ${kind}`,
      requests,
      usage: part({ invocations: 0, requests: { [kind]: requests } }),
    }));
    if (used.invocations === 0) return kinds;
    const invoked = { count: used.invocations, readUnits: 0, writeUnits: 0 };
    return [...kinds, { name: `${actor}: invocations`, requests: invoked, usage: part({ requests: {} }) }];
  });
}

const claimsPerHour = 120;
const pollsPerHour = 180;
const sweepsPerMonth = 43_200;

/** What a task does not cost by itself. */
function apart({ sparse, extras }: Figures): string {
  const cost = (usage: Usage, logBytes = 0) => totalOf(perMillion({ usage, logBytes }));
  const task = cost(sparse.usage, sparse.logBytes);
  const more = (share: { usage: Usage; logBytes: number }) => cost(share.usage, share.logBytes) - task;
  const { savingTask, wakeCycle, heartbeat, waitedSecond, emptyClaim, sweep, idempotentTask, eventsPerTask } = extras;
  const idleHour = (cost(emptyClaim) / 1e6) * claimsPerHour + pollsPerHour * prices.sqsStandardRequest;
  const month = (cost(sweep) / 1e6) * sweepsPerMonth + sweepsPerMonth * prices.schedulerInvocation;
  const rows: [string, string, string][] = [
    ['a save of the workspace (pack and manifest)', dollars(more(savingTask)), 'per million'],
    ['a wake and the pause after it', dollars(more(wakeCycle)), 'per million'],
    ['a heartbeat (every third of heartbeatSeconds, default 20 s)', dollars(cost(heartbeat)), 'per million'],
    ['a read that waits 25 s (GET ?waitSeconds)', dollars(waitCost(cost(waitedSecond))), 'per million'],
    ['the header Idempotency-Key', dollars(more(idempotentTask)), 'per million'],
    [`the bus, if all ${eventsPerTask} events of a task were on it`, dollars(eventsPerTask), 'per million'],
    ['a running agent that idles: claims and long polls', (idleHour * 1000).toFixed(2), 'per 1000 hours'],
    ['the sweep, each minute (Scheduler included)', dollars(month), 'per month'],
  ];
  return [
    'Apart from the tasks, in dollars',
    table([['', '$', ''], ...rows]),
    '  The polling of the queues by Lambda is constant: see "What it costs idle" in the README.',
  ].join('\n');
}

/** What a step of a run takes and costs, with its task and without it. */
function workflows({ workflows, sparse }: Figures, { milliseconds }: Summary): string {
  const { stepOverhead, chainStep, map } = workflows;
  const cost = (share: TaskShare) => totalOf(perMillion(share));
  const p50 = median(stepOverhead);
  const row = (name: string, share: TaskShare) => [name, number(requestCount(share.usage), 1), dollars(cost(share))];
  return [
    'Workflows',
    table([
      ['', 'requests', '$ per million'],
      row('a step of a chain, with its task', chainStep),
      row(`an item of a map over ${map.items}, with its task`, map),
      row('a sparse task alone', sparse),
    ]),
    `  Task ended → next step's task queued: ${p50.toFixed(0)} ms (median of ${stepOverhead.length}), ${(p50 / milliseconds.putItem.p50).toFixed(1)} × PutItem. Up to`,
    '  250 ms of it is the wait until Lambda polls the stream, as on AWS.',
    `  A map over ${map.items} items, 20 at a time on one agent: ${map.seconds.toFixed(1)} s, ${(map.items / map.seconds).toFixed(1)} items/s.`,
  ].join('\n');
}

/** 25 s of what a second takes more, and the request itself: it was counted once in each second. */
function waitCost(secondCost: number): number {
  const request = (prices.httpApiRequest + prices.lambdaRequest) * 1e6;
  return request + 25 * (secondCost - request);
}
