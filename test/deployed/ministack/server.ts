import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProcess, signalGroup } from '../../../local/services/ecs/process-table.ts';

/** Everything is in here: the virtual environment, what the server writes, and its log. */
const home = fileURLToPath(new URL('../../../.rouse/ministack', import.meta.url));
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));
const oldestPython = [3, 10];
const startLimitMs = 60_000;
const stopLimitMs = 5_000;

export const defaultPort = 4566;

/** A server that runs, as the next command finds it. */
interface StartedServer {
  pid: number;
  /** Tells it from a later process with its pid. */
  identity: string;
}

export interface ServerAddress {
  endpointUrl: string;
  /** Whether it ran before. */
  ranAlready: boolean;
}

/**
 * Starts MiniStack on a port, detached, and returns when it is healthy. Its Python packages are those of
 * `requirements.txt`, by hash, in a virtual environment. @throws Error with a sentence that says what to do
 */
export async function startServer(port: number, print: (line: string) => void): Promise<ServerAddress> {
  const endpointUrl = `http://localhost:${port}`;
  const health = await healthOf(port);
  if (health !== undefined && health.edition === undefined)
    throw new Error(`Port ${port} is taken by another program. Choose another one: npm run localstack:up -- --port N`);
  if (health !== undefined) return { endpointUrl, ranAlready: true };
  const python = virtualEnvironment(print);
  const folder = join(home, String(port));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'tmp'), { recursive: true });
  // It runs functions by scripts of its own in there, which our package.json would make ES modules.
  writeFileSync(join(folder, 'tmp', 'package.json'), '{}');
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'a');
  const child = spawn(python, ['-m', 'ministack'], {
    cwd: folder,
    env: serverEnvironment(port, join(folder, 'tmp')),
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.unref();
  let exited = false;
  child.once('exit', () => {
    exited = true;
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`MiniStack could not be started by ${python}.`);
  const started: StartedServer = { pid, identity: findProcess(pid)?.identity ?? '' };
  writeFileSync(pidFile(port), JSON.stringify(started));
  const limitMs = Date.now() + startLimitMs;
  while ((await healthOf(port)) === undefined) {
    if (exited || Date.now() > limitMs) {
      signalGroup(pid, 'SIGKILL');
      const why = exited ? 'ended at once' : `was not healthy within ${startLimitMs / 1000} s`;
      throw new Error(`MiniStack ${why}. The end of ${logFile}:\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
    }
    await sleep(200);
  }
  return { endpointUrl, ranAlready: false };
}

/** Stops the server of a port and the functions that it runs. @returns whether there was one */
export async function stopServer(port: number): Promise<boolean> {
  if (!existsSync(pidFile(port))) return false;
  const { pid, identity } = JSON.parse(readFileSync(pidFile(port), 'utf8')) as StartedServer;
  const runs = findProcess(pid)?.identity === identity;
  if (runs) {
    signalGroup(pid, 'SIGTERM');
    const limitMs = Date.now() + stopLimitMs;
    while (signalGroup(pid, 0) && Date.now() < limitMs) await sleep(100);
    signalGroup(pid, 'SIGKILL');
  }
  rmSync(join(home, String(port)), { recursive: true, force: true });
  return runs;
}

/** Its functions run as processes of the `node` that comes first, which is to be the one of AWS Lambda. */
function serverEnvironment(port: number, temporaryFolder: string): Record<string, string> {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
  return {
    PATH: [dirname(process.execPath), PATH].join(delimiter),
    HOME,
    LANG,
    TMPDIR: temporaryFolder,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    PYTHONUNBUFFERED: '1',
  };
}

/** The Python of a virtual environment that holds what `requirements.txt` says; made when it is not there yet. */
function virtualEnvironment(print: (line: string) => void): string {
  const version = pythonVersion();
  const hash = createHash('sha256').update(readFileSync(requirements)).update(version).digest('hex').slice(0, 12);
  const folder = join(home, `python-${hash}`);
  const python = join(folder, 'bin', 'python');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return python;
  print(`Installing MiniStack for Python ${version} …`);
  rmSync(folder, { recursive: true, force: true });
  run('python3', ['-m', 'venv', folder], 'On Debian and Ubuntu: apt-get install python3-venv');
  run(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', requirements],
    'It needs a Python package index, as pip finds it.',
  );
  writeFileSync(complete, '');
  return python;
}

function pythonVersion(): string {
  const { stdout, error } = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  const version = /^Python (\d+)\.(\d+)\S*/.exec(stdout ?? '');
  const wanted = `MiniStack needs Python ${oldestPython.join('.')} or newer with venv and pip`;
  if (error || !version) throw new Error(`${wanted}, but there is no python3 on the PATH. Install it and try again.`);
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < oldestPython[0]! || (major === oldestPython[0] && minor < oldestPython[1]!))
    throw new Error(`${wanted}, but python3 is ${version[0]}. Install a newer one and try again.`);
  return version[0].slice('Python '.length);
}

function run(command: string, args: string[], advice: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const output = error?.message ?? `${stdout}${stderr}`.trim().slice(-2000);
  throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed. ${advice}\n${output}`);
}

interface Health {
  edition?: string;
  version?: string;
}

/** What the server on a port says of itself: an empty object for a program that is no MiniStack, undefined for nothing. */
async function healthOf(port: number): Promise<Health | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/_ministack/health`, { signal: AbortSignal.timeout(2000) });
    const { edition, version } = (await answer.json().catch(() => ({}))) as Health;
    return { edition, version };
  } catch {
    return undefined;
  }
}

function pidFile(port: number): string {
  return join(home, String(port), 'server.json');
}
