/**
 * `npm run bench`: how long things take, what they ask of AWS, and what that would cost. It runs a stack of its own,
 * prints a report, and writes all figures to `.rouse/bench.json` (`--json <file>` elsewhere). `--quick` measures less.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../local/start/repository.ts';
import { type StartedStack, startStack } from '../local/start/stack.ts';
import { Steps } from '../local/start/steps.ts';
import { type Extras, measureExtras } from './extras.ts';
import { Fleet, warmTemplate } from './fleet.ts';
import { type LatencySamples, measureLatency } from './latency.ts';
import { type BusyLoad, measureBusy, measureSparse, pollStreamLikeLambda, type TaskShare } from './load.ts';
import { Meter } from './meter.ts';
import { render } from './report.ts';
import { Watcher } from './watcher.ts';
import { measureWorkflows, type WorkflowFigures } from './workflows.ts';

/** It takes about two minutes on two cores that nobody else uses. Beyond this something hangs. */
const limitMs = 600_000;
const fleetSizes = [1, 10, 50];
const tasksPerAgent = 6;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupted.abort(new Error('Interrupted.')));
}

/** All that was measured. */
export interface Figures {
  date: string;
  machine: string;
  seconds: number;
  latency: LatencySamples;
  sparse: TaskShare;
  busy: BusyLoad[];
  extras: Extras;
  workflows: WorkflowFigures;
}

async function measure(stack: StartedStack, scale: number): Promise<Omit<Figures, 'date' | 'machine' | 'seconds'>> {
  const steps = new Steps(console.log);
  const samples = (count: number) => Math.ceil(count * scale);
  const watcher = new Watcher(stack.aws);
  const meter = new Meter(stack.aws);
  const fleet = new Fleet(stack, watcher, AbortSignal.any([interrupted.signal, AbortSignal.timeout(limitMs)]));
  await fleet.putTemplate('benchmark', warmTemplate);
  const agentIds: string[] = [];
  const load = async (agents: number, tasks: number) => {
    agentIds.push(...(await fleet.warmAgents('benchmark', agents - agentIds.length)));
    const measured = await measureBusy(fleet, meter, watcher, agentIds, tasks);
    await fleet.quiet(600);
    return measured;
  };
  await steps.run('Warming up', () => load(1, samples(150)));
  const agentId = agentIds[0] ?? '';
  const latency = await steps.run('Timing single tasks', () => measureLatency(stack, fleet, agentId, samples(100)));

  const stopPolling = pollStreamLikeLambda(stack.aws);
  await fleet.quiet(600);
  const sparse = await steps.run('Counting sparse tasks', () => measureSparse(fleet, meter, agentId, samples(16)));
  const extras = await steps.run('Counting saves, heartbeats, waits, wakes', () =>
    measureExtras({ stack, fleet, meter, watcher, agentId, scale }),
  );
  const workflows = await steps.run('Running workflows', () =>
    measureWorkflows({ stack, fleet, meter, watcher, agentId, scale }),
  );
  const busy: BusyLoad[] = [];
  for (const agents of fleetSizes) {
    const tasks = samples(Math.max(150, agents * tasksPerAgent));
    const step = () => load(agents, tasks);
    busy.push(await steps.run(`Starting and loading ${agents} agent${agents === 1 ? '' : 's'}`, step));
  }
  stopPolling();
  return { latency, sparse, busy, extras, workflows };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: 'string', default: join(repository, '.rouse', 'bench.json') },
      quick: { type: 'boolean', default: false },
    },
  });
  const startMs = performance.now();
  const log = process.env.ROUSE_LOG ? (line: string) => console.error(line) : undefined;
  const stack = await startStack({ port: 0, print: console.log, log });
  try {
    const measured = await measure(stack, values.quick ? 0.3 : 1);
    const figures: Figures = {
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}, ${process.platform}`,
      seconds: Math.round((performance.now() - startMs) / 1000),
      ...measured,
    };
    const report = render(figures);
    mkdirSync(dirname(values.json), { recursive: true });
    writeFileSync(values.json, `${JSON.stringify({ ...report.summary, figures }, undefined, 2)}\n`);
    console.log(`\n${report.text}\nAll figures: ${values.json}`);
  } finally {
    await stack.stop();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
