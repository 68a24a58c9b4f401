import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localFile } from '../../local/start/local-file.ts';
import { repository } from '../../local/start/repository.ts';
import { ApiClient, type EventResource, type TaskResource } from './support/client.ts';
import { isAlive, linesOf, numbersIn } from './support/processes.ts';

/** Servers start six times here, perhaps on a busy machine. */
const limit = { timeout: 90_000 };
/** Longest time from Ctrl-C until nothing is left. */
const stopLimitMs = 5000;

let root: string;
let server: ChildProcess | undefined;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rouse-e2e-'));
});
afterEach(async () => {
  if (server) await end('SIGINT');
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
});

/** What `npm start` runs, on a data folder, with a `.rouse/local.json` of its own. */
async function start(): Promise<ApiClient> {
  rmSync(localFile(root), { force: true });
  let output = '';
  const child = spawn(process.execPath, [join(repository, 'local', 'main.ts')], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: '0',
      ROUSE_DATA_DIR: join(root, 'data'),
      ROUSE_LOCAL_ROOT: root,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server = child;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  while (!output.includes('/v1/health') && !existsSync(localFile(root))) {
    if (child.exitCode !== null) throw new Error(`The local stack ended: ${output}`);
    await new Promise((resolve) => child.stdout.once('data', resolve).once('close', resolve));
  }
  return new ApiClient(JSON.parse(readFileSync(localFile(root), 'utf8')));
}

/** Ends the server, and says how long it took in milliseconds. */
async function end(signal: NodeJS.Signals): Promise<number> {
  const startMs = Date.now();
  const child = server!;
  server = undefined;
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, 'exit');
  }
  return Date.now() - startMs;
}

const noted = (name: string) => join(root, name);

/** Notes each run outside the workspace; a task that is told to wait goes on when its file `go` is there. */
const program = () => `
  read word; echo $word >> ${noted('runs')}
  echo $PPID > ${noted('shim')}; echo $$ >> ${noted('pids')}
  sleep 300 & echo $! >> ${noted('pids')}
  [ $word = waits ] && until [ -e ${noted('go')} ] || [ ! -d ${root} ]; do sleep 0.05; done
  kill $!; echo $word done`;

async function endsOf(api: ApiClient, tasks: TaskResource[]): Promise<TaskResource[]> {
  const ends = [];
  for (const task of tasks) ends.push(await api.finished(task));
  return ends;
}

function starts(events: EventResource[], task: TaskResource): number {
  return events.filter(({ type, taskId }) => type === 'task.started' && taskId === task.id).length;
}

test('after a SIGKILL of the server, tasks that ran and tasks that waited finish once', limit, async () => {
  const before = await start();
  const agent = await before.shell(program());
  const tasks: TaskResource[] = [];
  for (const word of ['waits', 'second', 'third']) tasks.push(await before.submit(agent, word));
  await before.until(
    'the first run',
    () => linesOf(noted('pids')),
    (pids) => pids.length === 2,
  );
  const [shim] = numbersIn(noted('shim'));
  await end('SIGKILL');
  expect(isAlive(shim!)).toBe(true);

  const after = await start();
  expect(after.apiUrl).toBe(before.apiUrl);
  await after.until(
    'the task that runs',
    () => after.task(tasks[0]!),
    ({ status }) => status === 'running',
  );
  writeFileSync(noted('go'), '');
  const ends = await endsOf(after, tasks);
  expect(ends.map(({ status, failures }) => [status, failures])).toEqual(tasks.map(() => ['succeeded', 0]));

  const events = await after.eventsWith(agent, 'task.succeeded', tasks);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ type }) => type === 'task.succeeded')).toHaveLength(3);
  const runs = linesOf(noted('runs'));
  for (const [index, word] of ['waits', 'second', 'third'].entries())
    expect(runs.filter((run) => run === word)).toHaveLength(starts(events, tasks[index]!));
  // The shim that outlived the server went on with its task, or it is dead.
  const current = numbersIn(noted('shim'))[0];
  expect(current === shim || !isAlive(shim!)).toBe(true);
  expect(numbersIn(noted('pids')).filter(isAlive)).toEqual([]);
});

test('after a SIGKILL of the server in the middle of a launch, the launch goes on at once', limit, async () => {
  const before = await start();
  const agent = await before.shell('cat');
  const task = await before.submit(agent, 'hello');
  await before.until(
    'the decision to launch',
    () => before.agentNow(agent),
    ({ status }) => status === 'starting',
  );
  await end('SIGKILL');
  const after = await start();
  expect(await after.finished(task)).toMatchObject({ status: 'succeeded', output: 'hello', failures: 0 });
});

test('Ctrl-C ends the server, the shims, and all that they have started', limit, async () => {
  const api = await start();
  expect(statSync(localFile(root)).mode & 0o777).toBe(0o600);
  const agent = await api.shell(`trap '' TERM; ${program()}`);
  const task = await api.submit(agent, 'waits');
  const pids = await api.until(
    'the run',
    () => numbersIn(noted('pids')),
    (found) => found.length === 2,
  );
  const all = [...pids, ...numbersIn(noted('shim'))];
  expect(all.filter(isAlive)).toHaveLength(3);

  expect(await end('SIGINT')).toBeLessThan(stopLimitMs);
  expect(all.filter(isAlive)).toEqual([]);
  expect(existsSync(localFile(root))).toBe(false);

  // With a data folder, what was going on goes on at the next start.
  const later = await start();
  await later.until(
    'the second run',
    () => linesOf(noted('runs')),
    (runs) => runs.length === 2,
  );
  writeFileSync(noted('go'), '');
  expect(await later.finished(task)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
});

test('a shim that died while the server was away is replaced, and nothing of it is left', limit, async () => {
  const before = await start();
  const agent = await before.shell(program());
  const task = await before.submit(agent, 'waits');
  const pids = await before.until(
    'the run',
    () => numbersIn(noted('pids')),
    (found) => found.length === 2,
  );
  await end('SIGKILL');
  process.kill(numbersIn(noted('shim'))[0]!, 'SIGKILL');
  expect(pids.filter(isAlive)).toHaveLength(2);

  const after = await start();
  await after.until(
    'the second run',
    () => linesOf(noted('runs')),
    (runs) => runs.length === 2,
  );
  expect(pids.filter(isAlive)).toEqual([]);
  writeFileSync(noted('go'), '');
  expect(await after.finished(task)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
});
