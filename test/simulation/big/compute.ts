import type { World } from '../world.ts';

/** Fargate bills at least so many seconds of a task. */
const leastSeconds = 60;
/** ARM, as the template has it by default. */
const size = { vcpu: 0.25, gib: 0.5 };

/** Adds up what Fargate bills: from the start of the pull to the stop. */
export class Compute {
  tasks = 0;
  seconds = 0;
  private readonly world: World;
  private readonly seen = new Set<string>();

  constructor(world: World) {
    this.world = world;
  }

  /** Stopped tasks are known for an hour: look more often. */
  look(): void {
    for (const { id, lastStatus, pullStartedAt, stoppedAt } of this.world.stack.aws.ecs.allTasks()) {
      if (lastStatus !== 'STOPPED' || this.seen.has(id)) continue;
      this.seen.add(id);
      this.tasks += 1;
      if (pullStartedAt !== undefined && stoppedAt !== undefined)
        this.seconds += Math.max(leastSeconds, (stoppedAt - pullStartedAt) / 1000);
    }
  }

  get vcpuSeconds(): number {
    return this.seconds * size.vcpu;
  }

  get gibSeconds(): number {
    return this.seconds * size.gib;
  }
}
