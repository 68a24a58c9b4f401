import type { Random } from '../random.ts';
import type { World } from '../world.ts';

/** A kind of thing that goes wrong. */
export interface FaultKind {
  name: string;
  install(world: World, random: Random): void;
}

/** Times in which something goes wrong often, between longer ones in which it seldom does. */
export class Episodes {
  /** Set while one lasts. */
  isOn = false;
  private readonly world: World;
  private readonly random: Random;
  private readonly apartMs: number;
  private readonly lastsMs: number;
  private readonly onStart: () => void;

  /** @param apartSeconds and `lastSeconds` are averages */
  constructor(world: World, random: Random, apartSeconds: number, lastSeconds: number, onStart: () => void = () => {}) {
    this.world = world;
    this.random = random;
    this.apartMs = apartSeconds * 1000;
    this.lastsMs = lastSeconds * 1000;
    this.onStart = onStart;
    this.next();
  }

  private next(): void {
    const { world, random } = this;
    world.clock.at(world.now() + Math.ceil(random.exponential(this.apartMs)), () => {
      if (world.calm) return;
      this.isOn = true;
      this.onStart();
      world.clock.at(world.now() + Math.ceil(random.exponential(this.lastsMs)), () => {
        this.isOn = false;
        this.next();
      });
    });
  }
}

/** The services that functions and shims call, by their signing names. */
export const services = ['dynamodb', 'sqs', 's3', 'ecs', 'sts', 'ssm', 'events', 'scheduler'] as const;

/** Does something again and again, at random times that are so far apart on average. */
export function repeatedly(world: World, random: Random, apartSeconds: number, act: () => void): void {
  const next = () => {
    world.clock.at(world.now() + Math.ceil(random.exponential(apartSeconds * 1000)), () => {
      if (world.calm) return;
      act();
      next();
    });
  };
  next();
}
