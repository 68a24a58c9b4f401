import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeLineSplitter } from '../line-splitter.ts';
import { adoptGroup, type ProcessGroup } from '../process-group.ts';
import type { Failure } from '../protocol.ts';
import type { DriverSetting, DriverTask } from './driver.ts';
import { programEnvironment } from './program-environment.ts';

/** How a program ended; `signal` is set where a signal ended it. */
export type ProgramEnd = { code: number | null; signal: NodeJS.Signals | null } | { failure: Failure };

export interface Program {
  child: ChildProcess;
  group: ProcessGroup | null;
  /** The last 2 KiB of stderr. */
  stderrTail(): string;
  /** Settles when the leader has ended, nothing of its group is left and its output is read. Never rejects. */
  ended: Promise<ProgramEnd>;
}

const stderrTailBytes = 2 * 1024;
/** How long output may trickle in from a pipe that something outside the group still holds open. */
const lastOutputMs = 1_000;

/**
 * Starts a task's program as a direct child in a process group and session of its own, in the workspace folder, with
 * its lines going to the task's log. The group is known to the pids file before anything else happens.
 */
export function startProgram(
  setting: DriverSetting,
  { task, onLine }: DriverTask,
  [command, ...args]: [string, ...string[]],
  stdio: StdioOptions,
): Program {
  // Random, not the task's id: on one machine two runtimes may hold two attempts of a task, one of them without knowing.
  const mark = randomBytes(12).toString('hex');
  const env = { ...programEnvironment(setting, task), ROUSE_PROCESS_MARK: mark };
  const child = spawn(command, args, {
    cwd: setting.workspace,
    env,
    stdio,
    detached: true,
    ...(setting.user === null ? {} : { uid: setting.user.uid, gid: setting.user.gid }),
  });
  const group =
    child.pid === undefined
      ? null
      : adoptGroup(child.pid, `ROUSE_PROCESS_MARK=${mark}`, setting.clock, setting.pidsFile);
  let tail = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk.subarray(-stderrTailBytes)]).subarray(-stderrTailBytes);
  });
  streamLines(child.stdout, (line) => onLine('stdout', line));
  streamLines(child.stderr, (line) => onLine('stderr', line));
  return { child, group, stderrTail: () => tail.toString('utf8'), ended: watch(child, group, command, setting) };
}

function streamLines(stream: ChildProcess['stdout'], onLine: (line: string) => boolean): void {
  const splitter = makeLineSplitter(onLine);
  stream?.on('data', splitter.push);
  stream?.on('close', splitter.end);
}

function watch(
  child: ChildProcess,
  group: ProcessGroup | null,
  command: string,
  { clock, workspace }: DriverSetting,
): Promise<ProgramEnd> {
  // What else is open, for what it spends, may be held by something that outlives it, and delays nothing.
  const closed = Promise.all([child.stdout, child.stderr].map(closing));
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      // Without a group it never ran; an error of a running child (a message not sent) is no end.
      if (group === null) resolve({ failure: notStarted(error, command, workspace) });
    });
    child.once('exit', async (code, signal) => {
      await group?.sweep();
      const patience = new AbortController();
      // After a stall of this process the time is up before anything was read: what is there is read in one turn.
      await Promise.race([closed, clock.sleep(lastOutputMs, patience.signal)]);
      await nextTurn();
      patience.abort();
      for (const stream of child.stdio) stream?.destroy();
      resolve({ code, signal });
    });
  });
}

function closing(stream: ChildProcess['stdout']): Promise<void> {
  return new Promise((resolve) => (stream ? stream.once('close', resolve) : resolve()));
}

function notStarted(error: NodeJS.ErrnoException, command: string, workspace: string): Failure {
  if (error.code === 'ENOENT') {
    return {
      code: 'command_not_found',
      message: `The command "${command}" was not found. It must be on the container's PATH, or a path that exists (relative ones start at ${workspace}). Install it in the image or correct the template's driver.`,
    };
  }
  if (error.code === 'EACCES') {
    return {
      code: 'command_not_found',
      message: `The command "${command}" may not be executed by the agent's user. Make it executable (chmod +x) or name its interpreter in the template's driver.`,
    };
  }
  return { code: 'driver_failed', message: `The command "${command}" could not be started: ${error.message}.` };
}
