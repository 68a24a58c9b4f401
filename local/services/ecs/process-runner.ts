import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Store, StoredMap } from '../../store.ts';
import {
  type ContainerExit,
  type ContainerRun,
  type ContainerRunner,
  type RunningContainer,
  StartFailure,
  type TaskRun,
} from './container-runner.ts';
import { FileTail } from './file-tail.ts';
import { findProcess, processesWithVariable, signalGroup } from './process-table.ts';

/** How often a process that is not our child is looked at. */
const adoptedPollMs = 250;

/** A started process as it is remembered for the next process of the embedded AWS. */
interface StoredProcess {
  taskId: string;
  pid: number;
  identity: string;
  startedAtMs: number;
  /** Value of ROUSE_RUNTIME_ID in the container. */
  runtimeId: string | undefined;
}

export interface ProcessRunnerOptions {
  store: Store;
  /** Each task gets a folder of its own in it. */
  folder: string;
  /** Folder of the image's asset when it is the built-in one. */
  imageFolder(image: string): string | undefined;
  /** Lines that a container wrote. */
  output(container: ContainerRun, taskId: string, lines: string[]): void;
}

/** Runs the built-in image as a local process: the shim in its own process group, with only the container's environment. */
export class ProcessRunner implements ContainerRunner {
  private readonly options: ProcessRunnerOptions;
  private readonly processes: StoredMap<StoredProcess>;
  private readonly tails = new Map<string, FileTail>();

  constructor(options: ProcessRunnerOptions) {
    this.options = options;
    this.processes = options.store.map('ecs-processes');
  }

  runs(task: TaskRun): boolean {
    return task.containers.every((container) => this.options.imageFolder(container.image) !== undefined);
  }

  async prepare(): Promise<void> {}

  async start(task: TaskRun, container: ContainerRun): Promise<RunningContainer> {
    const imageFolder = this.options.imageFolder(container.image);
    const shim = imageFolder && join(imageFolder, 'shim.mjs');
    if (!shim || !existsSync(shim))
      throw new StartFailure(
        `CannotPullContainerError: the image ${container.image} has no shim.mjs in ${imageFolder}.`,
      );
    const folder = this.taskFolder(task.taskId);
    mkdirSync(join(folder, 'workspace'), { recursive: true });
    mkdirSync(join(folder, 'tmp'), { recursive: true });
    const logFile = join(folder, 'container.log');
    // A file, not a pipe: the process must outlive a crash of this one.
    const log = openSync(logFile, 'a');
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [shim, ...(container.command ?? [])], {
        cwd: folder,
        env: this.variables(folder, container),
        stdio: ['ignore', log, log],
        detached: true,
      });
    } finally {
      closeSync(log);
    }
    const exited = exitOf(child);
    const { pid } = child;
    const state = pid === undefined ? undefined : findProcess(pid);
    if (pid === undefined) throw new StartFailure(`CannotStartContainerError: ${(await exited).reason}`);
    child.unref();
    this.processes.set(task.taskId, {
      taskId: task.taskId,
      pid,
      identity: state?.identity ?? '',
      startedAtMs: state?.startedAtMs ?? Date.now(),
      runtimeId: container.environment.ROUSE_RUNTIME_ID,
    });
    this.tail(task.taskId, container, logFile);
    return { exited, signal: (signal) => void signalGroup(pid, signal) };
  }

  adopt(task: TaskRun, container: ContainerRun): RunningContainer | undefined {
    const stored = this.processes.get(task.taskId);
    if (!stored || findProcess(stored.pid)?.identity !== stored.identity) return undefined;
    this.tail(task.taskId, container, join(this.taskFolder(task.taskId), 'container.log'));
    const exited = new Promise<ContainerExit>((resolve) => {
      const poll = setInterval(() => {
        if (findProcess(stored.pid)?.identity === stored.identity) return;
        clearInterval(poll);
        resolve({ exitCode: undefined });
      }, adoptedPollMs);
      poll.unref();
    });
    return { exited, signal: (signal) => void signalGroup(stored.pid, signal) };
  }

  async finish(taskId: string): Promise<void> {
    this.killLeftovers(taskId);
    this.tails.get(taskId)?.end();
    this.tails.delete(taskId);
    this.processes.delete(taskId);
    rmSync(this.taskFolder(taskId), { recursive: true, force: true, maxRetries: 3 });
  }

  async close(): Promise<void> {
    for (const { taskId, pid, identity } of [...this.processes.values()]) {
      if (findProcess(pid)?.identity === identity) signalGroup(pid, 'SIGKILL');
      await this.finish(taskId);
    }
  }

  /** The shim records each process group that it starts. What is left of them dies with it, as in a container. */
  private killLeftovers(taskId: string): void {
    const stored = this.processes.get(taskId);
    if (!stored) return;
    const file = join(this.taskFolder(taskId), 'pids');
    if (existsSync(file)) {
      const writtenAtMs = statSync(file).mtimeMs;
      for (const line of readFileSync(file, 'utf8').split('\n')) {
        const groupId = Number(line);
        if (!Number.isInteger(groupId) || groupId < 2) continue;
        // A leader that started before the task or after the line was written is a stranger with a reused pid.
        const leader = findProcess(groupId);
        const isOurs =
          !leader || (leader.startedAtMs > stored.startedAtMs - 2000 && leader.startedAtMs < writtenAtMs + 2000);
        if (isOurs) signalGroup(groupId, 'SIGKILL');
      }
    }
    if (stored.runtimeId === undefined) return;
    for (const pid of processesWithVariable('ROUSE_RUNTIME_ID', stored.runtimeId)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone meanwhile.
      }
    }
  }

  private taskFolder(taskId: string): string {
    return join(this.options.folder, taskId);
  }

  private variables(folder: string, container: ContainerRun): Record<string, string> {
    const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
    return {
      PATH,
      HOME,
      LANG,
      TMPDIR: join(folder, 'tmp'),
      ROUSE_MODULE_ROOT: process.cwd(),
      ...container.environment,
      ROUSE_WORKSPACE: join(folder, 'workspace'),
      ROUSE_PIDS_FILE: join(folder, 'pids'),
    };
  }

  private tail(taskId: string, container: ContainerRun, file: string): void {
    this.tails.set(taskId, new FileTail(file, (lines) => this.options.output(container, taskId, lines)));
  }
}

function exitOf(child: ChildProcess): Promise<ContainerExit> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ exitCode: undefined, reason: error.message }));
    child.once('exit', (code, signal) => resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0) }));
  });
}
