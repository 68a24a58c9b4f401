import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { LineSplitter } from '../../line-splitter.ts';
import {
  type ContainerExit,
  type ContainerRun,
  type ContainerRunner,
  type RunningContainer,
  StartFailure,
  type TaskRun,
} from './container-runner.ts';

const execute = promisify(execFile);

/** How long an answer of `docker info` is believed. */
const availabilityMs = 30_000;
const infoTimeoutMs = 5_000;
const label = 'rouse.task';

export interface DockerRunnerOptions {
  imageFolder(image: string): string | undefined;
  output(container: ContainerRun, taskId: string, lines: string[]): void;
}

/** Runs containers by the `docker` command line, on the host's network so that they reach the embedded AWS on the loopback. */
export class DockerRunner implements ContainerRunner {
  private readonly options: DockerRunnerOptions;
  private readonly tasks = new Set<string>();
  private availability: { answer: Promise<boolean>; untilMs: number } | undefined;

  constructor(options: DockerRunnerOptions) {
    this.options = options;
  }

  /** Whether a Docker engine answers. */
  isAvailable(): Promise<boolean> {
    if (!this.availability || this.availability.untilMs < Date.now()) {
      const answer = execute('docker', ['info'], { timeout: infoTimeoutMs }).then(
        () => true,
        () => false,
      );
      this.availability = { answer, untilMs: Date.now() + availabilityMs };
    }
    return this.availability.answer;
  }

  async prepare(task: TaskRun): Promise<void> {
    for (const { image } of task.containers) {
      const folder = this.options.imageFolder(image);
      try {
        if (folder) await execute('docker', ['build', '--quiet', '--tag', localTag(image), folder]);
        else
          await execute('docker', ['image', 'inspect', image]).catch(() =>
            execute('docker', ['pull', '--quiet', image]),
          );
      } catch (error) {
        const detail = (error as { stderr?: string }).stderr?.trim() || String(error);
        throw new StartFailure(`CannotPullContainerError: ${image}: ${detail.split('\n').at(-1)}`);
      }
    }
  }

  async start(task: TaskRun, container: ContainerRun): Promise<RunningContainer> {
    this.tasks.add(task.taskId);
    const name = `rouse-${task.taskId}-${container.name}`;
    const client = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
    const child = spawn('docker', this.runArguments(task, container, name), {
      // By the environment of the client rather than in its arguments, which everybody on the machine can see.
      env: { ...container.environment, ...client },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const lines = new LineSplitter((written) => this.options.output(container, task.taskId, written));
    child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => lines.push(chunk));
    const exited = new Promise<ContainerExit>((resolve) => {
      child.once('error', (error) =>
        resolve({ exitCode: undefined, reason: `CannotStartContainerError: ${error.message}` }),
      );
      child.once('close', (code, signal) => {
        lines.end();
        resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0) });
      });
    });
    return { exited, signal: (signal) => void execute('docker', ['kill', '--signal', signal, name]).catch(() => {}) };
  }

  /** Its output and exit can't be followed any more: the task counts as stopped and {@link finish} removes it. */
  adopt(task: TaskRun): undefined {
    this.tasks.add(task.taskId);
  }

  async finish(taskId: string): Promise<void> {
    if (!this.tasks.delete(taskId)) return;
    const filter = `label=${label}=${taskId}`;
    const { stdout } = await execute('docker', ['ps', '--all', '--quiet', '--filter', filter]);
    const containers = stdout.split('\n').filter(Boolean);
    if (containers.length > 0) await execute('docker', ['rm', '--force', ...containers]);
    const { stdout: volumes } = await execute('docker', ['volume', 'ls', '--quiet', '--filter', filter]);
    const names = volumes.split('\n').filter(Boolean);
    if (names.length > 0) await execute('docker', ['volume', 'rm', '--force', ...names]);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.tasks].map((taskId) => this.finish(taskId)));
  }

  private runArguments(task: TaskRun, container: ContainerRun, name: string): string[] {
    const { definition, entryPoint, command = [] } = container;
    const [program, ...entryArguments] = entryPoint ?? [];
    const variables = Object.entries(container.environment).flatMap(([variable, value]) =>
      // These two are the client's own.
      variable === 'PATH' || variable === 'HOME' ? ['--env', `${variable}=${value}`] : ['--env', variable],
    );
    const mounts = (definition.mountPoints ?? []).flatMap(({ sourceVolume, containerPath, readOnly }) => [
      '--mount',
      `type=volume,source=rouse-${task.taskId}-${sourceVolume},target=${containerPath},volume-label=${label}=${task.taskId}${readOnly ? ',readonly' : ''}`,
    ]);
    return [
      ...['run', '--name', name, '--label', `${label}=${task.taskId}`, '--network', 'host', '--init=false'],
      ...variables,
      ...mounts,
      ...(definition.user ? ['--user', definition.user] : []),
      ...(definition.workingDirectory ? ['--workdir', definition.workingDirectory] : []),
      ...(program ? ['--entrypoint', program] : []),
      this.options.imageFolder(container.image) ? localTag(container.image) : container.image,
      ...entryArguments,
      ...command,
    ];
  }
}

function localTag(image: string): string {
  return `rouse-local:${image.slice(image.lastIndexOf(':') + 1)}`;
}
