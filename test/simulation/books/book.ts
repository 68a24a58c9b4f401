import type { Item } from '../../../lib/aws/table.ts';
import type { World } from '../world.ts';

/** One write of a row. */
export interface Write {
  sk: string;
  before: Item | undefined;
  after: Item | undefined;
}

/** What the heads of one kind and the rows beside them hold, with each write checked as it happens. */
export interface Book {
  take(write: Write): void;
}

interface Versioned {
  version: number;
  status?: string;
}

/** Invariant 7 in one write of a head: versions have no gaps, and a status changes only with one. */
export function checkVersion(world: World, name: string, before: Versioned, after: Versioned): void {
  const step = after.version - before.version;
  if (step !== 0 && step !== 1)
    world.fail(`The version of ${name} went from ${before.version} to ${after.version}.`, name);
  if (before.status !== after.status && step !== 1)
    world.fail(`${name} became ${after.status} without a new version.`, name);
}

/** A status that stays is no transition. */
export function checkFollows<S extends string>(
  world: World,
  name: string,
  follows: Record<S, readonly S[]>,
  before: S,
  after: S,
): void {
  if (before !== after && !follows[before].includes(after))
    world.fail(`${name} went from ${before} to ${after}, which no transition does.`, name);
}

/** Things that may be so for a while, but not for longer. */
export class Bounds {
  private readonly world: World;
  private readonly since = new Map<string, number>();

  constructor(world: World) {
    this.world = world;
  }

  /** @param name tells it from all others; `ids` of what the text is about */
  check(isSo: boolean, name: string, boundMs: number, text: string, ...ids: string[]): void {
    if (!isSo) {
      this.since.delete(name);
      return;
    }
    const sinceMs = this.since.get(name) ?? this.world.now();
    this.since.set(name, sinceMs);
    const lastsMs = this.world.now() - sinceMs;
    if (lastsMs > boundMs) this.world.fail(`${text} for ${Math.round(lastsMs / 60_000)} minutes.`, ...ids);
  }
}
