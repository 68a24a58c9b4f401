import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { localFile } from '../../local/start/local-file.ts';
import { repository } from '../../local/start/repository.ts';
import { type AgentResource, ApiClient, type EventResource, type TaskResource } from '../e2e/support/client.ts';
import { isAlive, linesOf, numbersIn } from '../e2e/support/processes.ts';

/** Servers start four times here, perhaps on a busy machine. */
const limit = { timeout: 90_000 };
/** Longest time from Ctrl-C until nothing is left. */
const stopLimitMs = 5000;

let root: string;
let server: ChildProcess | undefined;

const newRoot = () => mkdtempSync(join(tmpdir(), 'rouse-e2e-'));

async function clear(): Promise<void> {
  if (server) await end('SIGINT');
  rmSync(root, { recursive: true, force: true, maxRetries: 3 });
}

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

/** What the programs of an agent note, outside the workspace. */
const noted = (name: string, agent = 'agent') => join(root, `${agent}.${name}`);

/** Notes each run; a task that is told to wait goes on when its file `go` is there. */
const program = (agent = 'agent') => `
  read word; echo $word >> ${noted('runs', agent)}
  echo $PPID > ${noted('shim', agent)}; echo $$ >> ${noted('pids', agent)}
  sleep 300 & echo $! >> ${noted('pids', agent)}
  [ $word = waits ] && until [ -e ${noted('go', agent)} ] || [ ! -d ${root} ]; do sleep 0.05; done
  kill $!; echo $word done`;

async function endsOf(api: ApiClient, tasks: TaskResource[]): Promise<TaskResource[]> {
  const ends = [];
  for (const task of tasks) ends.push(await api.finished(task));
  return ends;
}

function starts(events: EventResource[], task: TaskResource): number {
  return events.filter(({ type, taskId }) => type === 'task.started' && taskId === task.id).length;
}

describe('after a SIGKILL of the server', () => {
  let api: ApiClient;
  let working: AgentResource;
  /** One that runs and two that wait. */
  let tasks: TaskResource[];
  let workingShim: number;
  let orphaned: TaskResource;
  let orphans: number[];
  let launched: TaskResource;

  // Servers take long to start: one dies in all these situations at once.
  beforeAll(async () => {
    root = newRoot();
    const before = await start();
    working = await before.shell(program('working'));
    tasks = [];
    for (const word of ['waits', 'second', 'third']) tasks.push(await before.submit(working, word));
    orphaned = await before.submit(await before.shell(program('orphaned')), 'waits');
    await before.until(
      'the first runs',
      () => ['working', 'orphaned'].map((of) => linesOf(noted('pids', of)).length),
      (counts) => counts.every((count) => count === 2),
    );
    const launching = await before.shell('cat');
    launched = await before.submit(launching, 'hello');
    await before.until(
      'the decision to launch',
      () => before.agentNow(launching),
      ({ status }) => status === 'starting',
    );
    await end('SIGKILL');

    workingShim = numbersIn(noted('shim', 'working'))[0]!;
    expect(isAlive(workingShim)).toBe(true);
    orphans = numbersIn(noted('pids', 'orphaned'));
    process.kill(numbersIn(noted('shim', 'orphaned'))[0]!, 'SIGKILL');
    expect(orphans.filter(isAlive)).toHaveLength(2);
    api = await start();
    expect(api.apiUrl).toBe(before.apiUrl);
  }, limit.timeout);
  afterAll(clear);

  test('a launch that it was in the middle of goes on at once', limit, async () => {
    expect(await api.finished(launched)).toMatchObject({ status: 'succeeded', output: 'hello', failures: 0 });
  });

  test('tasks that ran and tasks that waited finish once', limit, async () => {
    await api.until(
      'the task that runs',
      () => api.task(tasks[0]!),
      ({ status }) => status === 'running',
    );
    writeFileSync(noted('go', 'working'), '');
    const ends = await endsOf(api, tasks);
    expect(ends.map(({ status, failures }) => [status, failures])).toEqual(tasks.map(() => ['succeeded', 0]));

    const events = await api.eventsWith(working, 'task.succeeded', tasks);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ type }) => type === 'task.succeeded')).toHaveLength(3);
    const runs = linesOf(noted('runs', 'working'));
    for (const [index, word] of ['waits', 'second', 'third'].entries())
      expect(runs.filter((run) => run === word)).toHaveLength(starts(events, tasks[index]!));
    // The shim that outlived the server went on with its task, or it is dead.
    const current = numbersIn(noted('shim', 'working'))[0];
    expect(current === workingShim || !isAlive(workingShim)).toBe(true);
    expect(numbersIn(noted('pids', 'working')).filter(isAlive)).toEqual([]);
  });

  test('a shim that died while it was away is replaced, and nothing of it is left', limit, async () => {
    await api.until(
      'the second run',
      () => linesOf(noted('runs', 'orphaned')),
      (runs) => runs.length === 2,
    );
    expect(orphans.filter(isAlive)).toEqual([]);
    writeFileSync(noted('go', 'orphaned'), '');
    expect(await api.finished(orphaned)).toMatchObject({ status: 'succeeded', attempt: 2, failures: 0 });
  });
});

test('Ctrl-C ends the server, the shims, and all that they have started', limit, async () => {
  root = newRoot();
  onTestFinished(clear);
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
