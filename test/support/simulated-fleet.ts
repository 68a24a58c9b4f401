import type { ClaimedTask } from '../../lib/http/schemas/runtime.ts';
import type { ContainerRun, RunningContainer, TaskRun } from '../../local/services/ecs/container-runner.ts';
import type { InProcessStack } from './in-process-stack.ts';
import { type Program, SimulatedShim } from './simulated-shim.ts';

/** All containers that the stack's ECS has started. */
export class SimulatedFleet {
  /** Newest last; dead ones too, unless {@link forgetsDead}. */
  readonly shims: SimulatedShim[] = [];
  /** Containers that run, by their runtimes. */
  readonly byRuntime = new Map<string, SimulatedShim>();
  /** A long simulation has too many to keep them. */
  forgetsDead = false;
  /** What every program does, unless a test says otherwise. */
  program: Program = (task) => task.input;
  /** Called when a container starts; false leaves it silent for ever. */
  onStart: (shim: SimulatedShim) => boolean = () => true;
  /** Told of all that programs do: what ran when, whatever anybody believes of it. */
  onWork: ((shim: SimulatedShim, task: ClaimedTask, what: 'begins' | 'ends') => void) | undefined;
  /** What becomes of a request; it may take its time. @default it comes through */
  network: ((shim: SimulatedShim, route: string) => Promise<'request_lost' | 'answer_lost' | undefined>) | undefined;
  /** How long a shim waits before it tries a request again. @default not at all */
  pause: ((tries: number) => Promise<void>) | undefined;
  /** Told what a shim did not catch. @default it is thrown */
  onError: ((shim: SimulatedShim, error: unknown) => void) | undefined;
  private readonly stack: () => InProcessStack;

  constructor(stack: () => InProcessStack) {
    this.stack = stack;
  }

  run(task: TaskRun, container: ContainerRun): RunningContainer {
    const shim = new SimulatedShim(this.stack(), this, task, container);
    if (!this.forgetsDead) this.shims.push(shim);
    this.byRuntime.set(shim.runtimeId, shim);
    void shim.exited.then(() => this.byRuntime.delete(shim.runtimeId));
    if (this.onStart(shim)) shim.start();
    return shim;
  }

  get living(): SimulatedShim[] {
    return [...this.byRuntime.values()].filter((shim) => shim.alive);
  }

  get newest(): SimulatedShim {
    const shim = this.shims.at(-1);
    if (!shim) throw new Error('No container was started.');
    return shim;
  }
}
