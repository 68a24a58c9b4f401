import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import type { Clock } from './clock.ts';

/**
 * The processes of one task. Its leader was spawned detached, so it leads a group and a session of its own, whose ids
 * are its pid.
 *
 * What counts as "of the task" is the group; when it is ended for a reason (cancel, time-out, stop), also the session
 * and whatever carries the task's mark in its environment, so that a child which called setsid() or put itself into a
 * group of its own dies too. Zombies don't count: without an init process nobody may ever reap them.
 */
export interface ProcessGroup {
  readonly id: number;
  /** SIGTERM, `graceMs`, SIGKILL; resolves when no process is left. */
  end(graceMs: number): Promise<void>;
  /** SIGKILL now; resolves when no process is left. */
  kill(): Promise<void>;
  /** After a normal end of the leader: SIGKILL to what is left of the group; resolves when it is empty. */
  sweep(): Promise<void>;
}

/** Processes are looked for at growing intervals: a short task should end at once, a long grace should not spin. */
const firstPollMs = 10;
const longestPollMs = 200;
const resendKillMs = 1_000;
/** The marks of groups that are still known, by their leaders. */
const living = new Map<number, string>();

/** SIGKILL to all that is left of every group: for the shim's own end, when nothing can be awaited any more. */
export function killAllGroups(): void {
  for (const [leader, mark] of living) signalAll(leader, membersOf(leader, mark), 'SIGKILL');
}

/**
 * Takes charge of the group that the detached child `leader` leads. `mark` is an environment assignment that only this
 * task's processes have; `pidsFile`, if given, gets a line with the group's id before anything else happens.
 */
export function adoptGroup(leader: number, mark: string, clock: Clock, pidsFile?: string): ProcessGroup {
  if (pidsFile !== undefined) appendFileSync(pidsFile, `${leader}\n`);
  living.set(leader, mark);

  async function killUntilGone(find: () => number[] | 'group'): Promise<void> {
    let resendAt = 0;
    for (let poll = firstPollMs; ; poll = Math.min(poll * 1.5, longestPollMs)) {
      const left = find();
      if (left !== 'group' && left.length === 0) break;
      if (clock.now() >= resendAt) {
        signalAll(leader, left, 'SIGKILL');
        resendAt = clock.now() + resendKillMs;
      }
      await clock.sleep(poll);
    }
    living.delete(leader);
  }

  const everything = () => membersOf(leader, mark);
  let ending: Promise<void> | null = null;

  async function termThenKill(graceMs: number): Promise<void> {
    const until = clock.now() + graceMs;
    signalAll(leader, everything(), 'SIGTERM');
    for (let poll = firstPollMs; clock.now() < until; poll = Math.min(poll * 1.5, longestPollMs)) {
      await clock.sleep(Math.min(poll, until - clock.now()));
      const left = everything();
      if (left !== 'group' && left.length === 0) break;
    }
    await killUntilGone(everything);
  }

  return {
    id: leader,
    end(graceMs) {
      ending ??= termThenKill(graceMs);
      return ending;
    },
    kill() {
      ending = killUntilGone(everything);
      return ending;
    },
    async sweep() {
      // The leader of a group that was told to end may go first; the others keep their grace.
      if (ending !== null) await ending;
      if (groupExists(leader)) await killUntilGone(() => (groupExists(leader) ? everything() : []));
      living.delete(leader);
    },
  };
}

/** The task's living processes, or `'group'` where there is no /proc to list them but the group exists. */
function membersOf(leader: number, mark: string): number[] | 'group' {
  const processes = listProcesses();
  if (processes === null) return groupExists(leader) ? 'group' : [];
  return processes
    .filter(({ pid, state, group, session }) => {
      if (state === 'Z' || state === 'X' || pid === process.pid) return false;
      return group === leader || session === leader || carries(pid, mark);
    })
    .map(({ pid }) => pid);
}

function signalAll(leader: number, members: number[] | 'group', signal: NodeJS.Signals): void {
  signalGroup(leader, signal);
  if (members === 'group') return;
  for (const pid of members) {
    // The group has its signal already, but two SIGTERMs could cut a clean end short.
    if (signal === 'SIGTERM' && processStatus(pid)?.group === leader) continue;
    ignoreGone(() => process.kill(pid, signal));
  }
}

function signalGroup(id: number, signal: NodeJS.Signals): void {
  ignoreGone(() => process.kill(-id, signal));
}

function groupExists(id: number): boolean {
  try {
    process.kill(-id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function ignoreGone(act: () => void): void {
  try {
    act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM: macOS says so of zombies; elsewhere the shim is root or owns what it started.
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

interface ProcessStatus {
  pid: number;
  state: string;
  group: number;
  session: number;
}

function listProcesses(): ProcessStatus[] | null {
  if (process.platform !== 'linux') return null;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processStatus(Number(name)))
    .filter((status) => status !== null);
}

function processStatus(pid: number): ProcessStatus | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may itself hold blanks and parentheses: what follows the last one is fixed.
    const [state = '', , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, state, group: Number(group), session: Number(session) };
  } catch {
    return null;
  }
}

function carries(pid: number, mark: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${mark}\0`);
  } catch {
    return false;
  }
}
