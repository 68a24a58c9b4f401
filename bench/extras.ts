import { setTimeout as sleep } from 'node:timers/promises';
import type { StartedStack } from '../local/start/stack.ts';
import { type Fleet, warmTemplate } from './fleet.ts';
import { measureSparse, type TaskShare } from './load.ts';
import { listening, type Meter } from './meter.ts';
import { only, shareOf, type Usage, without } from './usage.ts';
import type { Watcher } from './watcher.ts';

/** What is paid besides the tasks themselves, each for one of its kind. */
export interface Extras {
  /** Of a sparse task that changed a file, saved at once; with the task. */
  savingTask: TaskShare;
  /** With the task that woke the agent. */
  wakeCycle: { usage: Usage; logBytes: number; submitToStarted: number[] };
  /** Milliseconds from a submit to the start of the task, by the agents of a template with a warm pool. */
  wakeFromPool: number[];
  heartbeat: Usage;
  /** A reader that waits a second longer. */
  waitedSecond: Usage;
  /** An idle shim that asks and gets nothing. */
  emptyClaim: Usage;
  sweep: Usage;
  /** What the header Idempotency-Key adds to a submit; with the task. */
  idempotentTask: TaskShare;
  eventsPerTask: number;
}

export interface Bench {
  stack: StartedStack;
  fleet: Fleet;
  meter: Meter;
  watcher: Watcher;
  /** An agent of {@link warmTemplate}. */
  agentId: string;
  /** 1 is the whole benchmark, less is a shorter one. */
  scale: number;
}

export async function measureExtras(bench: Bench): Promise<Extras> {
  const { fleet, meter, agentId, scale } = bench;
  let keys = 0;
  return {
    savingTask: await measureSaving(bench),
    idempotentTask: await measureSparse(fleet, meter, agentId, Math.ceil(4 * scale), () => ({
      'idempotency-key': `benchmark-${process.pid}-${keys++}`,
    })),
    eventsPerTask: await countEvents(bench),
    emptyClaim: await measureEmptyClaims(bench),
    sweep: await measureSweep(bench),
    ...(await measureWaiting(bench)),
    wakeCycle: await measureWaking(bench),
    wakeFromPool: await measureWakingFromPool(bench),
  };
}

async function measureSaving({ fleet, meter, scale }: Bench): Promise<TaskShare> {
  await fleet.putTemplate('benchmark-saving', {
    ...warmTemplate,
    driver: { type: 'command', command: ['sh', '-c', 'date +%s%N > changed'] },
    workspace: { minSaveIntervalSeconds: 0 },
  });
  const [agentId = ''] = await fleet.warmAgents('benchmark-saving', 1);
  const share = await measureSparse(fleet, meter, agentId, Math.ceil(5 * scale));
  await fleet.remove(agentId);
  return share;
}

async function countEvents({ fleet, agentId }: Bench): Promise<number> {
  const taskId = await fleet.submit(agentId);
  await fleet.quiet(600);
  return (await fleet.get<{ items: unknown[] }>(`/v1/events?taskId=${taskId}&limit=100`)).items.length;
}

/** A ring without work makes an idle shim ask at once, as it does by itself every 30 s. */
async function measureEmptyClaims({ stack, fleet, meter, agentId }: Bench): Promise<Usage> {
  const rings = 4;
  const { runtime } = await fleet.get<{ runtime: { id: string } }>(`/v1/agents/${agentId}`);
  const bell = stack.aws.sqs.queueArn(`rouse-bell-${runtime.id}`);
  const end = meter.open();
  for (let ring = 0; ring < rings; ring++) {
    stack.aws.sqs.sendInternal(bell, 'look');
    await fleet.quiet(150);
  }
  return shareOf(only((await end()).usage, 'runtime'), () => rings);
}

async function measureSweep({ stack, fleet, meter }: Bench): Promise<Usage> {
  const sweep = stack.aws.lambda.definitions().find(({ logicalId }) => logicalId.includes('Sweep'));
  if (!sweep) throw new Error('No sweep function is deployed.');
  await fleet.quiet();
  const end = meter.open();
  await stack.aws.lambda.invoke(sweep.arn, '{}');
  return only((await end()).usage, 'sweep');
}

/** A task that takes its time, and a reader that waits for it: heartbeats are the runtime function's, waits the other's. */
async function measureWaiting({ fleet, meter, watcher }: Bench): Promise<Pick<Extras, 'heartbeat' | 'waitedSecond'>> {
  await fleet.putTemplate('benchmark-beating', {
    ...warmTemplate,
    driver: { type: 'command', command: ['sleep', '7'] },
    task: { heartbeatSeconds: 3 },
  });
  const agentId = await fleet.createAgent('benchmark-beating');
  const taskId = await fleet.submit(agentId);
  await watcher.until(agentId, ({ status }) => status === 'running', fleet.signal);
  await fleet.quiet(300);
  const waits = [1, 3] as const;
  const end = meter.open();
  const perWait: Usage[] = [];
  for (const seconds of waits) {
    const endOfWait = meter.open();
    await fleet.get(`/v1/tasks/${taskId}?waitSeconds=${seconds}`);
    perWait.push(only((await endOfWait()).usage, 'wait'));
  }
  await sleep(300);
  const { usage } = await end();
  await watcher.finished(taskId, fleet.signal);
  await fleet.remove(agentId);
  const [short = {}, long = {}] = perWait;
  return {
    heartbeat: shareOf(only(usage, 'runtime'), () => usage.runtime?.invocations || Number.NaN),
    waitedSecond: growth(short, long, waits[1] - waits[0]),
  };
}

/** What a longer wait asks for more, by unit of its being longer. Its time is all in the duration of one invocation. */
function growth(short: Usage, long: Usage, by: number): Usage {
  const used = long.wait;
  if (!used) return {};
  const requests = Object.entries(used.requests).map(([kind, { count, readUnits, writeUnits }]) => {
    const less = short.wait?.requests[kind] ?? { count: 0, readUnits: 0, writeUnits: 0 };
    return [
      kind,
      {
        count: (count - less.count) / by,
        readUnits: (readUnits - less.readUnits) / by,
        writeUnits: (writeUnits - less.writeUnits) / by,
      },
    ];
  });
  return { wait: { ...used, invocations: 1, medianMs: 1000, meanMs: 1000, requests: Object.fromEntries(requests) } };
}

async function measureWaking({ fleet, meter, watcher, scale }: Bench): Promise<Extras['wakeCycle']> {
  await fleet.putTemplate('benchmark-pausing', { ...warmTemplate, idleTimeoutSeconds: 1 });
  const agentId = await fleet.createAgent('benchmark-pausing');
  const cycles = Math.ceil(4 * scale);
  const submitToStarted: number[] = [];
  const cycle = async () => {
    const { submittedMs, startedMs } = await fleet.run(agentId);
    await watcher.until(agentId, ({ status }) => status === 'paused', fleet.signal);
    // Its container ends, and what AWS tells of that is dealt with.
    await fleet.quiet(700);
    return startedMs - submittedMs;
  };
  await cycle();
  const end = meter.open();
  for (let i = 0; i < cycles; i++) submitToStarted.push(await cycle());
  const { usage, logBytes } = await end();
  const share = shareOf(without(usage, 'sweep', listening), () => cycles);
  return { usage: share, logBytes: logBytes / cycles, submitToStarted };
}

/** The same wake with a standby ready. A new agent each time, whose end leaves the pool as it was. */
async function measureWakingFromPool({ fleet, scale }: Bench): Promise<number[]> {
  const name = 'benchmark-pooled';
  await fleet.putTemplate(name, { ...warmTemplate, warmPool: 1 });
  const isReady = async () =>
    (await fleet.get<{ pool?: { ready: number } }>(`/v1/templates/${name}`)).pool?.ready === 1;
  const submitToStarted: number[] = [];
  for (let cycle = 0; cycle <= Math.ceil(4 * scale); cycle++) {
    while (!(await isReady())) await fleet.quiet(100);
    // It has loaded what it will need.
    await fleet.quiet(1000);
    const agentId = await fleet.createAgent(name);
    const { submittedMs, startedMs } = await fleet.run(agentId);
    // The first one warms up the functions.
    if (cycle > 0) submitToStarted.push(startedMs - submittedMs);
    await fleet.remove(agentId);
  }
  await fleet.putTemplate(name, { ...warmTemplate, warmPool: 0 });
  await fleet.quiet(1000);
  return submitToStarted;
}
