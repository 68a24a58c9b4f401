import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Ticks per second of start times in /proc; fixed by Linux's interface to user space. */
const ticksPerSecond = 100;

interface ProcessState {
  /** When it started, in milliseconds since the epoch; exact to 10 ms on Linux and a second elsewhere. */
  startedAtMs: number;
  /** Names this process and no later one with its pid. */
  identity: string;
}

let bootTimeMs: number | undefined;

/** A process that lives (zombies don't), or undefined. */
export function findProcess(pid: number): ProcessState | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): ProcessState | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain anything, spaces and parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const ticks = Number(fields[19]);
    bootTimeMs ??= Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))![1]) * 1000;
    const startedAtMs = bootTimeMs + (ticks / ticksPerSecond) * 1000;
    return { startedAtMs, identity: `${bootTimeMs}/${ticks}` };
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): ProcessState | undefined {
  try {
    const output = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [state, ...started] = output.trim().split(/\s+/);
    if (!state || state.startsWith('Z')) return undefined;
    return { startedAtMs: Date.parse(started.join(' ')), identity: started.join(' ') };
  } catch {
    return undefined;
  }
}

/** Signals a process group; false when it has no members. */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, signal);
    return true;
  } catch {
    return false;
  }
}

/** Processes of this user with `name=value` in the environment they were started with. Only Linux can tell. */
export function processesWithVariable(name: string, value: string): number[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${name}=${value}`;
  const found: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      if (readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0').includes(wanted)) found.push(Number(entry));
    } catch {
      // Gone meanwhile, or another user's.
    }
  }
  return found;
}
