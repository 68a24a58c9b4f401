import type { Environment } from '../../service.ts';
import {
  type ContainerExit,
  type ContainerRun,
  type ContainerRunner,
  type RunningContainer,
  StartFailure,
  type TaskRun,
} from './container-runner.ts';
import type { StoredContainer, StoredTask, TaskStatus } from './task.ts';

/** How long the steps of a launch and a stop take, beyond the work itself. */
export interface TaskDelays {
  provisioningMs: number;
  pullMs: number;
  deprovisioningMs: number;
}

export interface LifecyclePorts {
  environment: Environment;
  runner: ContainerRunner;
  delays: TaskDelays;
  /** Puts definition, overrides, secrets and AWS's variables together. @throws StartFailure */
  resolve(task: StoredTask): Promise<TaskRun>;
  /** After each change: stores it and tells the event bus about a new version. */
  changed(task: StoredTask, isNewVersion: boolean): void;
  /** The task has stopped and is not run any more. */
  ended(task: StoredTask): void;
}

/** Takes one task through its states, from PROVISIONING to STOPPED. */
export class TaskLifecycle {
  private readonly task: StoredTask;
  private readonly ports: LifecyclePorts;
  private readonly running = new Map<string, RunningContainer>();
  private run: TaskRun | undefined;
  private isStopping = false;

  constructor(task: StoredTask, ports: LifecyclePorts) {
    this.task = task;
    this.ports = ports;
  }

  /** Launches; returns at once. */
  launch(): void {
    void this.guard(async () => {
      await this.wait(this.ports.delays.provisioningMs);
      if (this.desired() === 'STOPPED') return this.finish();
      this.task.pullStartedAt = this.now();
      this.move('PENDING');
      this.run = await this.ports.resolve(this.task);
      await this.ports.runner.prepare(this.run);
      await this.wait(this.ports.delays.pullMs);
      this.task.pullStoppedAt = this.now();
      if (this.desired() === 'STOPPED') return this.finish();
      this.move('ACTIVATING');
      await this.startReady();
      if (this.isStopping) return;
      this.task.startedAt = this.now();
      this.task.connectivityAt = this.task.startedAt;
      this.move('RUNNING');
      // A stop that was asked for meanwhile, or the exit of a very short container.
      if (this.desired() === 'STOPPED') this.stopContainers();
      else this.checkExits();
    });
  }

  /** Goes on with a task that an earlier process of the embedded AWS ran. */
  adopt(): void {
    void this.guard(async () => {
      this.run = await this.ports.resolve(this.task);
      for (const container of this.run.containers) {
        const stored = this.stored(container.name);
        if (stored.lastStatus === 'STOPPED') continue;
        const adopted = this.ports.runner.adopt(this.run, container);
        if (adopted) this.watch(container, adopted);
        else if (stored.lastStatus === 'RUNNING') this.containerExited(container, { exitCode: undefined }, false);
      }
      if (this.task.desiredStatus === 'STOPPED' || this.running.size === 0) {
        this.beginStop('EssentialContainerExited', 'Essential container in task exited');
        this.stopContainers();
      } else if (this.task.lastStatus !== 'RUNNING') {
        this.task.startedAt ??= this.now();
        this.move('RUNNING');
      }
    });
  }

  /** SIGTERM, the containers' stop time-out, SIGKILL. Does nothing to a task that stops already. */
  stop(code: string, reason: string): void {
    if (this.task.desiredStatus === 'STOPPED') return;
    this.beginStop(code, reason);
    if (this.task.lastStatus === 'RUNNING') {
      // Seen as RUNNING with desiredStatus STOPPED first: on Spot this event is the warning.
      this.task.version += 1;
      this.changed(true);
      this.stopContainers();
    } else {
      this.changed(true);
    }
  }

  private beginStop(code: string, reason: string): void {
    if (this.task.desiredStatus === 'STOPPED') return;
    this.task.desiredStatus = 'STOPPED';
    this.task.stoppingAt = this.now();
    this.task.stopCode = code;
    this.task.stoppedReason = reason;
    this.task.tags = [];
  }

  private stopContainers(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    this.move('DEACTIVATING');
    this.move('STOPPING');
    const { clock } = this.ports.environment;
    for (const container of this.run?.containers ?? []) {
      const running = this.running.get(container.name);
      if (!running) continue;
      running.signal('SIGTERM');
      const kill = clock.at(clock.now() + container.stopTimeoutSeconds * 1000, () => running.signal('SIGKILL'));
      void running.exited.then(() => kill.cancel());
    }
    this.finishWhenQuiet();
  }

  /** Starts the containers whose dependencies are met. */
  private async startReady(): Promise<void> {
    for (const container of this.run?.containers ?? []) {
      const isNew = this.stored(container.name).lastStatus === 'PENDING' && !this.running.has(container.name);
      if (!isNew || !this.isReady(container)) continue;
      const running = await this.ports.runner.start(this.run!, container);
      this.stored(container.name).lastStatus = 'RUNNING';
      this.watch(container, running);
      // It may have been asked to stop while it was starting, when there was nothing to signal yet.
      if (this.isStopping) running.signal('SIGKILL');
    }
  }

  private isReady(container: ContainerRun): boolean {
    return (container.definition.dependsOn ?? []).every(({ containerName, condition }) => {
      const { lastStatus, exitCode } = this.stored(containerName);
      if (condition === 'START') return lastStatus !== 'PENDING';
      return lastStatus === 'STOPPED' && (condition === 'COMPLETE' || exitCode === 0);
    });
  }

  private watch(container: ContainerRun, running: RunningContainer): void {
    this.running.set(container.name, running);
    void running.exited.then((exit) => this.containerExited(container, exit, true));
  }

  private containerExited(container: ContainerRun, exit: ContainerExit, proceed: boolean): void {
    this.running.delete(container.name);
    const stored = this.stored(container.name);
    stored.lastStatus = 'STOPPED';
    if (exit.exitCode !== undefined) stored.exitCode = exit.exitCode;
    if (exit.reason !== undefined) stored.reason = exit.reason;
    this.changed(false);
    if (!proceed) return;
    if (this.isStopping) this.finishWhenQuiet();
    else void this.guard(async () => this.afterExit());
  }

  private async afterExit(): Promise<void> {
    await this.startReady();
    if (this.task.lastStatus === 'RUNNING') this.checkExits();
  }

  private checkExits(): void {
    const containers = this.run?.containers ?? [];
    const isBlocked = containers.some((container) => this.isBlocked(container));
    const hasEnded = containers.some(({ name, essential }) => essential && this.stored(name).lastStatus === 'STOPPED');
    if (isBlocked) this.beginStop('TaskFailedToStart', 'Container dependency failed');
    else if (hasEnded) this.beginStop('EssentialContainerExited', 'Essential container in task exited');
    else return;
    this.stopContainers();
  }

  /** Waits for the success of a container that has failed. */
  private isBlocked(container: ContainerRun): boolean {
    if (this.stored(container.name).lastStatus !== 'PENDING') return false;
    return (container.definition.dependsOn ?? []).some(({ containerName, condition }) => {
      const { lastStatus, exitCode } = this.stored(containerName);
      return condition === 'SUCCESS' && lastStatus === 'STOPPED' && exitCode !== 0;
    });
  }

  private finishWhenQuiet(): void {
    if (this.running.size === 0) void this.guard(() => this.finish());
  }

  private async finish(): Promise<void> {
    if (this.task.lastStatus === 'DEPROVISIONING' || this.task.lastStatus === 'STOPPED') return;
    this.isStopping = true;
    if (this.task.startedAt !== undefined) this.task.executionStoppedAt = this.now();
    for (const container of this.task.containers) container.lastStatus = 'STOPPED';
    this.move('DEPROVISIONING');
    // What a container left behind must be dead before anybody reads STOPPED as proof of its death.
    await this.ports.runner.finish(this.task.id);
    await this.wait(this.ports.delays.deprovisioningMs);
    this.task.stoppedAt = this.now();
    this.move('STOPPED');
    this.ports.ended(this.task);
  }

  private async guard(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const reason = error instanceof StartFailure ? error.message : `CannotStartContainerError: ${error}`;
      if (!(error instanceof StartFailure)) this.ports.environment.log(`task ${this.task.taskArn} failed: ${error}`);
      this.beginStop('TaskFailedToStart', reason);
      if (this.running.size > 0) this.stopContainers();
      else await this.finish();
    }
  }

  private move(status: TaskStatus): void {
    this.task.lastStatus = status;
    this.task.version += 1;
    this.changed(true);
  }

  private changed(isNewVersion: boolean): void {
    this.task.updatedAt = this.now();
    this.ports.changed(this.task, isNewVersion);
  }

  private stored(name: string): StoredContainer {
    return this.task.containers.find((container) => container.name === name)!;
  }

  /** Read through a call, since it changes while a step waits. */
  private desired(): string {
    return this.task.desiredStatus;
  }

  private now(): number {
    return this.ports.environment.clock.now();
  }

  private async wait(durationMs: number): Promise<void> {
    if (durationMs <= 0) return;
    const { clock } = this.ports.environment;
    await new Promise<void>((resolve) => clock.at(clock.now() + durationMs, resolve));
  }
}
