import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProcess, signalGroup } from '../../../local/services/ecs/process-table.ts';
import { pythonWith } from '../../support/virtual-environment.ts';

/** Everything is in here: the virtual environment, what the server writes, and its log. */
const home = fileURLToPath(new URL('../../../.rouse/ministack', import.meta.url));
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url));
const startLimitMs = 60_000;
const stopLimitMs = 5_000;

export const defaultPort = 4566;

/** A server that runs, as the next command finds it. */
interface StartedServer {
  pid: number;
  /** Tells it from a later process with its pid. */
  identity: string;
}

/**
 * Starts MiniStack on a port, detached, and returns when it is healthy. Its Python packages are those of
 * `requirements.txt`, by hash, in a virtual environment. Does nothing where it runs already.
 *
 * @returns its endpoint
 * @throws Error with a sentence that says what to do
 */
export async function startServer(port: number, print: (line: string) => void): Promise<string> {
  const endpointUrl = `http://localhost:${port}`;
  const health = await healthOf(port);
  if (health !== undefined && health.edition === undefined)
    throw new Error(`Port ${port} is taken by another program. Choose another one: npm run localstack:up -- --port N`);
  if (health !== undefined) return endpointUrl;
  const python = pythonWith({ program: 'MiniStack', file: requirements, home, print });
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
  return endpointUrl;
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
