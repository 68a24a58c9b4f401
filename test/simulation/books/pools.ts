import { toPool } from '../../../lib/aws/pool-store.ts';
import type { Item } from '../../../lib/aws/table.ts';
import type { CarriedEvent } from '../../../lib/domain/event.ts';
import type { Pool } from '../../../lib/domain/pool.ts';
import type { World } from '../world.ts';
import { type Book, checkVersion, type Write } from './book.ts';

/** Warm pools: a standby is taken over once, by one agent. */
export class PoolBook implements Book {
  readonly heads = new Map<string, Pool>();
  private readonly world: World;
  private readonly takenBy = new Map<string, string>();
  private readonly handedOver = new Set<string>();

  constructor(world: World) {
    this.world = world;
  }

  take({ sk, before, after }: Write): void {
    if (sk === 'head') this.takeHead(toPool(before), toPool(after), (after?.events ?? []) as CarriedEvent[]);
  }

  private takeHead(before: Pool | undefined, after: Pool | undefined, events: readonly CarriedEvent[]): void {
    if (!after) return;
    const name = `pool/${after.id}`;
    this.heads.set(after.id, after);
    if (before) checkVersion(this.world, name, before, after);
    if (before?.version === after.version) return;
    const ids = [...after.standbys, ...after.retired].map(({ id }) => id);
    if (new Set(ids).size < ids.length) this.world.fail(`${name} has a runtime twice: ${ids.join(', ')}.`, name);
    for (const { type, data } of events) {
      const runtimeId = String(data?.runtimeId ?? '');
      this.world.tell(`${name}: ${type} ${runtimeId} ${data?.agentId ?? data?.proof ?? data?.reason ?? ''}`);
      if (type !== 'pool.taken_over') continue;
      if (this.handedOver.has(runtimeId)) this.world.fail(`${name} handed ${runtimeId} over twice.`, runtimeId);
      this.handedOver.add(runtimeId);
    }
  }

  /** A runtime is of one agent, or of a pool until it is of one agent. */
  takeRuntime(before: Item | undefined, after: Item): void {
    const id = String(after.id);
    const agentId = after.agentId === undefined ? undefined : String(after.agentId);
    if (before?.agentId !== undefined && before.agentId !== agentId)
      this.world.fail(
        `${id} was of ${before.agentId}, and then of ${agentId ?? 'nobody'}.`,
        id,
        String(before.agentId),
      );
    if (before && before.pool !== after.pool) this.world.fail(`${id} went from one pool to another.`, id);
    if (before?.status === 'ended' && after.status !== 'ended')
      this.world.fail(`${id} had ended, and is ${after.status} again.`, id);
    if (agentId !== undefined) this.takenBy.set(id, agentId);
  }
}
