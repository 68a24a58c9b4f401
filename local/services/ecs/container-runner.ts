import type { ContainerDefinition } from './task-definitions.ts';

/** One container of a task about to run: definition, overrides and secrets put together. */
export interface ContainerRun {
  name: string;
  image: string;
  essential: boolean;
  entryPoint: string[] | undefined;
  command: string[] | undefined;
  /** All variables, AWS's own included. */
  environment: Record<string, string>;
  definition: ContainerDefinition;
  stopTimeoutSeconds: number;
}

/** A task about to run. */
export interface TaskRun {
  taskId: string;
  taskArn: string;
  startedBy: string | undefined;
  taskRoleArn: string | undefined;
  createdAtMs: number;
  containers: ContainerRun[];
  volumes: string[];
}

export interface ContainerExit {
  /** Undefined when it can't be known, e.g. of a process adopted after a restart. */
  exitCode: number | undefined;
  reason?: string;
}

export interface RunningContainer {
  /** Never rejects. */
  exited: Promise<ContainerExit>;
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** A task can't start: `reason` is ECS's `stoppedReason`, such as `CannotPullContainerError: …`. */
export class StartFailure extends Error {}

/** What runs containers: processes, Docker, or a test's own function. */
export interface ContainerRunner {
  /** Checks or pulls the images. @throws StartFailure */
  prepare(task: TaskRun): Promise<void>;
  /** @throws StartFailure */
  start(task: TaskRun, container: ContainerRun): Promise<RunningContainer>;
  /** After a restart of the embedded AWS: the container that an earlier process started, unless it is gone. */
  adopt(task: TaskRun, container: ContainerRun): RunningContainer | undefined;
  /** All containers have exited: ends and removes what they left behind. */
  finish(taskId: string): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Runs tasks by a function of a test. Nothing survives a restart. */
export class SimulatedRunner implements ContainerRunner {
  private readonly run: (task: TaskRun, container: ContainerRun) => RunningContainer;

  constructor(run: (task: TaskRun, container: ContainerRun) => RunningContainer) {
    this.run = run;
  }

  async prepare(): Promise<void> {}

  async start(task: TaskRun, container: ContainerRun): Promise<RunningContainer> {
    return this.run(task, container);
  }

  adopt(): undefined {}

  async finish(): Promise<void> {}

  async close(): Promise<void> {}
}
