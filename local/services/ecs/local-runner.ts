import {
  type ContainerRun,
  type ContainerRunner,
  type RunningContainer,
  StartFailure,
  type TaskRun,
} from './container-runner.ts';
import type { DockerRunner } from './docker-runner.ts';
import type { ProcessRunner } from './process-runner.ts';

/** Tasks of the built-in image run as processes; others need a Docker engine. */
export class LocalRunner implements ContainerRunner {
  private readonly processes: ProcessRunner;
  private readonly docker: DockerRunner;

  constructor(processes: ProcessRunner, docker: DockerRunner) {
    this.processes = processes;
    this.docker = docker;
  }

  async prepare(task: TaskRun): Promise<void> {
    if (this.processes.runs(task)) return;
    if (!(await this.docker.isAvailable())) {
      const image = task.containers.find((container) => container.essential)?.image;
      throw new StartFailure(
        `CannotPullContainerError: a local run of image ${image} needs a Docker engine, but \`docker info\` does not answer. Start Docker, or use the built-in image.`,
      );
    }
    await this.docker.prepare(task);
  }

  start(task: TaskRun, container: ContainerRun): Promise<RunningContainer> {
    return this.of(task).start(task, container);
  }

  adopt(task: TaskRun, container: ContainerRun): RunningContainer | undefined {
    return this.of(task).adopt(task, container);
  }

  async finish(taskId: string): Promise<void> {
    await this.processes.finish(taskId);
    await this.docker.finish(taskId);
  }

  async close(): Promise<void> {
    await Promise.all([this.processes.close(), this.docker.close()]);
  }

  private of(task: TaskRun): ContainerRunner {
    return this.processes.runs(task) ? this.processes : this.docker;
  }
}
