import type { Bench } from './extras.ts';
import type { TaskShare } from './load.ts';
import { listening } from './meter.ts';
import { shareOf, without } from './usage.ts';

/** What runs cost, and how long they take, besides what their tasks do. */
export interface WorkflowFigures {
  /** From the end of a step's task until the task of the next one is queued: milliseconds, one each pair. */
  stepOverhead: number[];
  /** Of one step of a chain, with its task. */
  chainStep: TaskShare;
  map: MapFigures;
}

export interface MapFigures extends TaskShare {
  items: number;
  seconds: number;
}

interface Run {
  id: string;
  status: string;
  steps: Record<string, { taskIds: string[] }>;
}

const chainLength = 5;

export async function measureWorkflows(bench: Bench): Promise<WorkflowFigures> {
  const { stepOverhead, chainStep } = await measureChain(bench);
  return { stepOverhead, chainStep, map: await measureMap(bench) };
}

/** Steps on a warm agent, one after the other. */
async function measureChain(bench: Bench): Promise<Pick<WorkflowFigures, 'stepOverhead' | 'chainStep'>> {
  const { fleet, meter, agentId, scale } = bench;
  const ids = Array.from({ length: chainLength }, (_, i) => `s${i}`);
  const steps = ids.map((id, i) => ({ id, agent: agentId, needs: ids.slice(Math.max(0, i - 1), i), input: id }));
  await fleet.call('PUT', '/v1/workflows/benchmark-chain', { steps });
  await runOf(bench, 'benchmark-chain');
  await fleet.quiet(600);
  const runs = Math.ceil(10 * scale);
  const done: Run[] = [];
  const end = meter.open();
  for (let i = 0; i < runs; i++) done.push(await runOf(bench, 'benchmark-chain'));
  await fleet.quiet(600);
  const { usage, logBytes } = await end();
  const tasks = runs * chainLength;
  const share = shareOf(without(usage, 'sweep', 'wait', listening), () => tasks);
  const stepOverhead: number[] = [];
  for (const run of done) stepOverhead.push(...(await overheadsOf(bench, run, ids)));
  return { stepOverhead, chainStep: { tasks, usage: share, logBytes: logBytes / tasks } };
}

async function overheadsOf({ fleet }: Bench, run: Run, ids: string[]): Promise<number[]> {
  const times = await Promise.all(
    ids.map(async (id) => {
      const [taskId] = run.steps[id]?.taskIds ?? [];
      if (taskId === undefined) throw new Error(`The step ${id} of the run ${run.id} has no task.`);
      return timesOf((path) => fleet.get(path), taskId);
    }),
  );
  return times.slice(1).map(({ queuedMs }, i) => queuedMs - times[i]!.endedMs);
}

interface EventPage {
  items: { type: string; time: string }[];
  nextCursor: string;
}

/** When a task was queued and when it succeeded. Its events lie among all of its agent's, and may still be on their way. */
export async function timesOf(
  get: (path: string) => Promise<EventPage>,
  taskId: string,
): Promise<{ queuedMs: number; endedMs: number }> {
  const times = new Map<string, number>();
  let after = '';
  for (;;) {
    const page = await get(`/v1/events?taskId=${taskId}&limit=200&waitSeconds=25${after}`);
    for (const { type, time } of page.items) times.set(type, Date.parse(time));
    const [queuedMs, endedMs] = [times.get('task.queued'), times.get('task.succeeded')];
    if (queuedMs !== undefined && endedMs !== undefined) return { queuedMs, endedMs };
    after = `&after=${encodeURIComponent(page.nextCursor)}`;
  }
}

/** One agent, as many items as it can do one after the other. */
async function measureMap(bench: Bench): Promise<MapFigures> {
  const { fleet, meter, agentId, scale } = bench;
  const items = Math.ceil(1000 * scale);
  const step = { id: 'each', agent: agentId, forEach: '{% [1..$run.input.items] %}', maxConcurrency: 20 };
  await fleet.call('PUT', '/v1/workflows/benchmark-map', { steps: [step] });
  const end = meter.open();
  const startMs = performance.now();
  await runOf(bench, 'benchmark-map', { items });
  const seconds = (performance.now() - startMs) / 1000;
  await fleet.quiet(600);
  const { usage, logBytes } = await end();
  const share = shareOf(without(usage, 'sweep', 'wait', listening), () => items);
  return { items, seconds, tasks: items, usage: share, logBytes: logBytes / items };
}

async function runOf({ fleet }: Bench, name: string, input: unknown = null): Promise<Run> {
  let run = await fleet.call<Run>('POST', `/v1/workflows/${name}/runs`, { input });
  while (run.status === 'running') run = await fleet.call('GET', `/v1/runs/${run.id}?waitSeconds=25`);
  if (run.status !== 'succeeded') throw new Error(`The run ${run.id} has ${run.status}.`);
  return run;
}
