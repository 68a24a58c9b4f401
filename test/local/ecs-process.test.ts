import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContainerRun, TaskRun } from '../../local/services/ecs/container-runner.ts';
import { ProcessRunner } from '../../local/services/ecs/process-runner.ts';
import { findProcess } from '../../local/services/ecs/process-table.ts';
import { makeEnvironment } from '../support/embedded.ts';

let folder: string;
let environment: ReturnType<typeof makeEnvironment>;
let runner: ProcessRunner;
let output: string[];

const makeRunner = () =>
  new ProcessRunner({
    store: environment.store,
    folder: join(folder, 'tasks'),
    imageFolder: (image) => (image === 'built-in:1' ? join(folder, 'image') : undefined),
    output: (_container, _taskId, lines) => output.push(...lines),
  });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-process-'));
  mkdirSync(join(folder, 'image'));
  environment = makeEnvironment();
  const maps = new Map<string, Map<string, unknown>>();
  const map = (name: string) => maps.get(name) ?? maps.set(name, new Map()).get(name)!;
  environment.store = { ...environment.store, map: map as never, folder: undefined, close() {} };
  output = [];
  runner = makeRunner();
});

afterEach(async () => {
  await runner.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(code: string, more: Partial<ContainerRun> = {}) {
  writeFileSync(join(folder, 'image', 'shim.mjs'), code);
  const container: ContainerRun = {
    name: 'agent',
    image: 'built-in:1',
    essential: true,
    entryPoint: undefined,
    command: undefined,
    environment: { ROUSE_RUNTIME_ID: `rt_${Math.random()}` },
    definition: { name: 'agent', image: 'built-in:1' },
    stopTimeoutSeconds: 30,
    ...more,
  };
  const task: TaskRun = {
    taskId: 't1',
    taskArn: 'arn',
    startedBy: undefined,
    taskRoleArn: undefined,
    createdAtMs: 0,
    containers: [container],
    volumes: [],
  };
  return { task, container, running: await runner.start(task, container) };
}

const written = (name: string) => readFileSync(join(folder, name), 'utf8');

/** A shim that starts a process group of its own and records it; the group would live for a minute. */
const withGroup = `
  import { spawn } from 'node:child_process';
  import { appendFileSync, writeFileSync } from 'node:fs';
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH } });
  appendFileSync(process.env.ROUSE_PIDS_FILE, child.pid + '\\n');
  console.log('child', child.pid);
  setInterval(() => {}, 1000);
`;

const childPid = async () => {
  await expect.poll(() => output.find((line) => line.startsWith('child'))).toBeDefined();
  return Number(output.find((line) => line.startsWith('child'))!.split(' ')[1]);
};

describe('a task as a process', () => {
  it('ends with the exit code of the program, its output captured', async () => {
    const { running } = await start('console.log("hello"); console.error("oops"); process.exitCode = 3;');
    expect(await running.exited).toEqual({ exitCode: 3 });
    await runner.finish('t1');
    expect(output).toEqual(['hello', 'oops']);
  });

  it('ends with 143 or 137 when a signal ends it', async () => {
    const { running } = await start('setInterval(() => {}, 1000);');
    running.signal('SIGTERM');
    expect((await running.exited).exitCode).toBe(143);
    const second = await start('setInterval(() => {}, 1000);');
    second.running.signal('SIGKILL');
    expect((await second.running.exited).exitCode).toBe(137);
  });

  it('sees the environment of its container, a workspace, and nothing of ours', async () => {
    process.env.ROUSE_TEST_LEAK = 'leaked';
    const code =
      'import { writeFileSync } from "node:fs"; writeFileSync("../../env.json", JSON.stringify(process.env));';
    const { running } = await start(code, { environment: { OWN: 'yes' } });
    await running.exited;
    delete process.env.ROUSE_TEST_LEAK;
    const env = JSON.parse(written('env.json'));
    expect(env).toMatchObject({ OWN: 'yes', ROUSE_WORKSPACE: join(folder, 'tasks', 't1', 'workspace') });
    expect(Object.keys(env).sort()).toEqual(
      ['HOME', 'LANG', 'OWN', 'PATH', 'ROUSE_MODULE_ROOT', 'ROUSE_PIDS_FILE', 'ROUSE_WORKSPACE', 'TMPDIR'].sort(),
    );
  });

  it('takes the process groups that it started with it when it is killed', async () => {
    const { running } = await start(withGroup);
    const child = await childPid();
    running.signal('SIGKILL');
    await running.exited;
    expect(findProcess(child)).toBeDefined();
    await runner.finish('t1');
    await expect.poll(() => findProcess(child)).toBeUndefined();
    expect(existsSync(join(folder, 'tasks', 't1'))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('takes a process that left every group but kept its runtime id', async () => {
    const escaped = withGroup
      .replace('env: { PATH: process.env.PATH }', 'env: process.env')
      .replace(/appendFileSync\(.*\n/, '\n');
    const { running } = await start(escaped);
    const child = await childPid();
    running.signal('SIGKILL');
    await running.exited;
    await runner.finish('t1');
    await expect.poll(() => findProcess(child)).toBeUndefined();
  });

  it('spares a stranger whose pid stands in the file by chance', async () => {
    const { running } = await start('setInterval(() => {}, 1000);');
    const file = join(folder, 'tasks', 't1', 'pids');
    writeFileSync(file, `${process.ppid}\n`);
    running.signal('SIGKILL');
    await running.exited;
    await runner.finish('t1');
    expect(findProcess(process.ppid)).toBeDefined();
  });

  it('is adopted by the next process of the embedded AWS, which sees it end', async () => {
    const { task, container } = await start('setInterval(() => {}, 1000);');
    const adopted = makeRunner().adopt(task, container);
    adopted!.signal('SIGKILL');
    expect(await adopted!.exited).toEqual({ exitCode: undefined });
  });

  it('is not adopted when its pid belongs to another process now', async () => {
    const { task, container, running } = await start('process.exit(0)');
    await running.exited;
    expect(makeRunner().adopt(task, container)).toBeUndefined();
  });
});
