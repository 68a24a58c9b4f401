import type { EmbeddedAws } from '../local/embedded-aws.ts';
import { Feeder } from './feeder.ts';
import type { Fleet } from './fleet.ts';
import { listening, type Meter } from './meter.ts';
import { shareOf, type Usage, without } from './usage.ts';
import type { Watcher } from './watcher.ts';

/** The share of one task in what was used. */
export interface TaskShare {
  /** Tasks that were counted. */
  tasks: number;
  usage: Usage;
  logBytes: number;
}

export interface BusyLoad extends TaskShare {
  agents: number;
  tasksPerSecond: number;
}

/** Tasks under way for each agent: so many that its queue is never empty, and so few that one read unit or two hold them. */
const queueDepth = 8;
/** Lambda polls each shard of a stream four times a second (its documentation): what was written between travels together. */
const streamPollMs = 250;
/** A sparse task comes long after all that its predecessor led to. */
const sparsePauseMs = 600;

const background = ['sweep', listening];

/**
 * Makes the recorder's batches come when AWS's would. The embedded AWS hands each write on at once, which would count
 * an invocation for every write of a task. The returned function ends it.
 */
export function pollStreamLikeLambda(aws: EmbeddedAws): () => void {
  return aws.faults.addDelivery(({ source }) =>
    source === 'stream' ? { delayMs: streamPollMs - (aws.clock.now() % streamPollMs) } : undefined,
  );
}

/** Tasks whose agent has nothing else to do, each submitted after the one before has ended. */
export async function measureSparse(
  fleet: Fleet,
  meter: Meter,
  agentId: string,
  tasks: number,
  headers: () => Record<string, string> = () => ({}),
): Promise<TaskShare> {
  const end = meter.open();
  for (let task = 0; task < tasks; task++) {
    await fleet.run(agentId, headers());
    await fleet.quiet(sparsePauseMs);
  }
  const { usage, logBytes } = await end();
  return { tasks, usage: shareOf(without(usage, ...background), () => tasks), logBytes: logBytes / tasks };
}

/**
 * Agents whose queues never are empty: as soon as a task ends, another is submitted.
 * @param tasks counted, once the queues are full and each agent has ended two on average
 */
export async function measureBusy(
  fleet: Fleet,
  meter: Meter,
  watcher: Watcher,
  agentIds: string[],
  tasks: number,
): Promise<BusyLoad> {
  const feeder = new Feeder(fleet, watcher);
  for (let depth = 0; depth < queueDepth; depth++) for (const agentId of agentIds) feeder.feed(agentId);
  await feeder.until(agentIds.length * queueDepth, agentIds.length * 2);
  const end = meter.open();
  const { finished } = feeder;
  const { accepted } = watcher;
  const startMs = performance.now();
  await feeder.until(0, finished + tasks);
  const [submits, ends] = [watcher.accepted - accepted, feeder.finished - finished];
  const seconds = (performance.now() - startMs) / 1000;
  const { usage, logBytes } = await end();
  await feeder.drain();
  // At the edges of the window a few more were submitted than ended, or fewer: each part counts its own.
  const share = shareOf(without(usage, ...background), (actor) => (actor === 'api' ? submits : ends));
  return {
    agents: agentIds.length,
    tasks: ends,
    tasksPerSecond: ends / seconds,
    usage: share,
    logBytes: logBytes / ends,
  };
}
