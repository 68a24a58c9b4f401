import { percentile } from '../../../bench/statistics.ts';
import { livePrefix } from '../../../lib/aws/keys.ts';
import type { Ledger } from '../ledger.ts';
import type { World } from '../world.ts';

export type WaitKind = 'warm' | 'busy' | 'cold' | 'nightly';

/** Seconds from the acceptance of a task to its first start. */
export interface Spread {
  tasks: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/**
 * Measures how long tasks wait: those that find a runtime without work, those behind another task of their agent, those
 * that wake it, and those of the nightly moment.
 */
export class Waits {
  private readonly seconds: Record<WaitKind, number[]> = { warm: [], busy: [], cold: [], nightly: [] };
  /** Live rows of each agent. */
  private readonly unfinished = new Map<string, number>();
  private readonly waiting = new Map<string, { sinceMs: number; kind: WaitKind }>();

  /** @param isNightly whether a task of this time is of the nightly moment */
  constructor(world: World, ledger: Ledger, isNightly: (timeMs: number) => boolean) {
    world.stack.aws.dynamodb.onStreamRecord((_table, { dynamodb: { Keys, NewImage, OldImage } }) => {
      if (!Keys.sk?.S?.startsWith(livePrefix)) return;
      if (!NewImage) {
        const agentId = OldImage?.agentId?.S ?? '';
        this.unfinished.set(agentId, (this.unfinished.get(agentId) ?? 0) - 1);
        return;
      }
      const id = NewImage.id?.S ?? '';
      const nowMs = world.now();
      if (!OldImage) {
        const agentId = NewImage.agentId?.S ?? '';
        const isBusy = (this.unfinished.get(agentId) ?? 0) > 0;
        const free = ledger.agents.get(agentId)?.status === 'running' ? 'warm' : 'cold';
        this.waiting.set(id, { sinceMs: nowMs, kind: isNightly(nowMs) ? 'nightly' : isBusy ? 'busy' : free });
        this.unfinished.set(agentId, (this.unfinished.get(agentId) ?? 0) + 1);
      }
      const waited = NewImage.status?.S === 'running' ? this.waiting.get(id) : undefined;
      if (!waited) return;
      this.waiting.delete(id);
      this.seconds[waited.kind].push((nowMs - waited.sinceMs) / 1000);
    });
  }

  spreads(): Record<WaitKind, Spread> {
    const { warm, busy, cold, nightly } = this.seconds;
    return { warm: spreadOf(warm), busy: spreadOf(busy), cold: spreadOf(cold), nightly: spreadOf(nightly) };
  }
}

function spreadOf(seconds: number[]): Spread {
  const sorted = seconds.toSorted((a, b) => a - b);
  const at = (percent: number) => (sorted.length === 0 ? 0 : percentile(sorted, percent));
  return { tasks: sorted.length, p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}
