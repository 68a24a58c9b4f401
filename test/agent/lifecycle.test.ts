import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Cloud, problem, runtimeId } from './support/cloud.ts';
import { isAlive } from './support/processes.ts';
import { spawnShim, startCloud, startShim, temporaryFolder } from './support/shim.ts';

let cloud: Cloud;
beforeEach(async () => {
  cloud = await startCloud();
});

/** A script that tells its pid and its child's, then waits; the child ignores SIGTERM and has a session of its own. */
const stubborn = 'setsid bash -c "trap : TERM; echo \\$\\$; while :; do sleep 0.1; done" & echo $$; wait; wait';

function run(script: string): void {
  cloud.config.driver = { type: 'command', command: ['bash', '-c', script] };
}

type Lines = { lines: { line: string; stream: string; time: string }[] };

async function pidsOf(taskId: string, count: number): Promise<number[]> {
  const lines: string[] = [];
  await cloud.called(`tasks/${taskId}/events`, (body) => {
    lines.push(...(body as unknown as Lines).lines.map(({ line }) => line));
    return lines.filter((line) => /^\d+$/.test(line)).length >= count;
  });
  return [...new Set(lines.filter((line) => /^\d+$/.test(line)).map(Number))];
}

describe('enrolment', () => {
  test('is signed for this API and this runtime with the task role', async () => {
    startShim(cloud);
    const body = (await cloud.called('enroll')) as {
      nonce: string;
      identity: { url: string; headers: Record<string, string>; body: string };
    };
    expect(body).toMatchObject({ runtimeId, tenant: 'default' });
    expect(Buffer.from(body.nonce, 'base64')).toHaveLength(32);
    expect(body.identity).toMatchObject({
      url: 'https://sts.eu-central-1.amazonaws.com/',
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    });
    expect(body.identity.headers).toMatchObject({ 'x-rouse-api': cloud.url, 'x-rouse-runtime': runtimeId });
    const signed = /SignedHeaders=([^,]+)/.exec(body.identity.headers.authorization ?? '')?.[1]?.split(';');
    expect(signed).toEqual(expect.arrayContaining(['host', 'x-rouse-api', 'x-rouse-runtime', 'x-amz-security-token']));
  });

  test('is tried again with the same nonce when the API fails', async () => {
    let failures = 2;
    cloud.override('enroll', () => (failures-- > 0 ? problem(503, 'unavailable') : null));
    startShim(cloud);
    await cloud.called('claim');
    const nonces = cloud.calls.filter(({ route }) => route === 'enroll').map(({ body }) => body.nonce);
    expect(nonces).toHaveLength(3);
    expect(new Set(nonces).size).toBe(1);
  });

  test('ends with 0 where another runtime has the agent', async () => {
    cloud.override('enroll', () => problem(409, 'runtime_replaced'));
    expect(await startShim(cloud).exit).toMatchObject({ code: 0 });
  });

  test('ends with 1 where the identity is refused', async () => {
    cloud.override('enroll', () => problem(401, 'identity_refused'));
    expect(await startShim(cloud).exit).toMatchObject({ code: 1 });
  });

  test('is renewed with its nonce at three quarters of its life, and the new token is used', async () => {
    cloud.lifeSeconds = 1.4;
    startShim(cloud);
    const { nonce } = await cloud.called('enroll');
    expect(await cloud.called('credentials')).toEqual({ nonce });
    cloud.lifeSeconds = 3600;
    cloud.submit('tsk_1');
    cloud.ring();
    await cloud.called('tasks/tsk_1/complete');
    expect(cloud.calls.at(-1)?.authorization).not.toBe('Bearer token-1');
  });
});

describe('claiming', () => {
  test('follows a ring', async () => {
    startShim(cloud);
    await cloud.called('claim');
    cloud.submit('tsk_1', { input: 'rung' });
    cloud.ring();
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'rung' });
  });

  test('follows the time that the API named', async () => {
    cloud.orders = { nextDueAt: new Date(Date.now() + 300).toISOString() };
    startShim(cloud);
    await cloud.called('claim');
    cloud.submit('tsk_1');
    await cloud.called('tasks/tsk_1/complete');
    expect(cloud.count('claim')).toBe(2);
  });

  test('is not needed after a task: its answer brings the next', async () => {
    for (const id of ['tsk_1', 'tsk_2', 'tsk_3']) cloud.submit(id);
    startShim(cloud);
    await cloud.called('tasks/tsk_3/complete');
    expect(cloud.count('claim')).toBe(1);
  });

  test('runs as many tasks at once as the template allows', async () => {
    cloud.config.concurrency = 3;
    run('echo $$; while [ ! -e "$ROUSE_WORKSPACE/go" ]; do sleep 0.05; done');
    for (const id of ['tsk_1', 'tsk_2', 'tsk_3', 'tsk_4']) cloud.submit(id);
    startShim(cloud);
    await Promise.all(['tsk_1', 'tsk_2', 'tsk_3'].map((id) => cloud.called(`tasks/${id}/events`)));
    expect(cloud.queue).toHaveLength(1);
    expect(await cloud.called('claim')).toEqual({ slots: 3, running: [] });
  });

  test('is told once more about a task, and runs it once', async () => {
    run('sleep 0.5; echo ran');
    cloud.submit('tsk_1');
    startShim(cloud);
    await cloud.called('claim');
    cloud.submit('tsk_1');
    cloud.orders = { tasks: cloud.queue.splice(0) };
    cloud.ring();
    await cloud.called('tasks/tsk_1/complete');
    await cloud.called('claim', ({ running }) => (running as unknown[]).length === 1);
    expect(cloud.count('tasks/tsk_1/complete')).toBe(1);
  });

  test('survives failures of the API', async () => {
    let failures = 2;
    cloud.override('claim', () => (failures-- > 0 ? problem(500, 'internal') : null));
    cloud.submit('tsk_1');
    startShim(cloud);
    await cloud.called('tasks/tsk_1/complete');
  });
});

describe('log lines', () => {
  test('come in order and whole, the last of them with the end of the task', async () => {
    run('for i in $(seq 1 1200); do echo "line $i ä"; done; echo oops >&2; printf last');
    cloud.submit('tsk_1');
    startShim(cloud);
    await cloud.called('tasks/tsk_1/complete');
    const calls = cloud.calls.filter(({ route }) => /^tasks\/tsk_1\/(events|complete)$/.test(route));
    const lines = calls.flatMap(({ body }) => (body as unknown as Lines).lines);
    const stdout = lines.filter(({ stream }) => stream === 'stdout').map(({ line }) => line);
    expect(stdout).toEqual([...Array.from({ length: 1200 }, (_, index) => `line ${index + 1} ä`), 'last']);
    expect(lines.filter(({ stream }) => stream === 'stderr').map(({ line }) => line)).toEqual(['oops']);
    expect(calls.every(({ body }) => (body as unknown as Lines).lines.length <= 500)).toBe(true);
    expect(cloud.calls.findLast(({ route }) => route.startsWith('tasks/'))?.route).toBe('tasks/tsk_1/complete');
  });
});

describe('ending a task early', () => {
  test('kills a time-out’s processes with all their children before it says so', async () => {
    cloud.config.cancelGraceSeconds = 0.2;
    run(stubborn);
    cloud.submit('tsk_1', { timeoutSeconds: 3 });
    startShim(cloud);
    const pids = await pidsOf('tsk_1', 2);
    expect(pids.every(isAlive)).toBe(true);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'timed_out' });
    expect(pids.some(isAlive)).toBe(false);
  });

  test('gives a cancelled command its grace', async () => {
    run('trap "echo cleaning; sleep 0.3; echo clean; exit 0" TERM; echo $$; while :; do sleep 0.1; done');
    cloud.submit('tsk_1', { leaseSeconds: 3 });
    cloud.override('tasks/tsk_1/heartbeat', () => ({ status: 200, body: { cancel: true, leaseUntil: '' } }));
    startShim(cloud);
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'cancelled', slots: 1 });
    const lines = cloud.calls.flatMap(({ body }) => (body as unknown as Partial<Lines>).lines ?? []);
    expect(lines.map(({ line }) => line)).toEqual(expect.arrayContaining(['cleaning', 'clean']));
  });

  test('gives a command no grace when its cancel is forced', async () => {
    cloud.config.cancelGraceSeconds = 1000;
    run('trap "echo cleaning; sleep 1000" TERM; echo $$; while :; do sleep 0.1; done');
    cloud.submit('tsk_1');
    startShim(cloud);
    const pids = await pidsOf('tsk_1', 1);
    cloud.orders = { cancel: [{ taskId: 'tsk_1', fence: 1 }] };
    cloud.ring();
    const isCleaning = () => JSON.stringify(cloud.calls).includes('cleaning');
    while (!isCleaning()) await new Promise((resolve) => setImmediate(resolve));
    cloud.orders = { cancel: [{ taskId: 'tsk_1', fence: 1, force: true }] };
    cloud.ring();
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'cancelled' });
    expect(pids.some(isAlive)).toBe(false);
  });

  test('touches nothing of another runtime that has a later attempt on the same machine', async () => {
    run('echo $$; sleep 1000');
    cloud.submit('tsk_1', { leaseSeconds: 4.5 });
    startShim(cloud);
    const [first] = await pidsOf('tsk_1', 1);
    cloud.calls.length = 0;
    cloud.submit('tsk_1', { fence: 2 });
    startShim(cloud);
    const [second] = await pidsOf('tsk_1', 1);
    cloud.override('tasks/tsk_1/heartbeat', ({ fence }) => (fence === 1 ? problem(409, 'fence_lost') : null));
    cloud.override('tasks/tsk_1/events', ({ fence }) => (fence === 1 ? problem(409, 'fence_lost') : null));
    while (isAlive(first!)) await new Promise((resolve) => setImmediate(resolve));
    expect(isAlive(second!)).toBe(true);
  });

  test('cancels when instructions say so', async () => {
    run('echo $$; sleep 1000');
    cloud.submit('tsk_1');
    startShim(cloud);
    const pids = await pidsOf('tsk_1', 1);
    cloud.orders = { cancel: [{ taskId: 'tsk_1', fence: 1 }] };
    cloud.ring();
    expect(await cloud.called('tasks/tsk_1/fail')).toMatchObject({ code: 'cancelled' });
    expect(pids.some(isAlive)).toBe(false);
  });

  test('kills and says nothing when the fence is lost', async () => {
    run(stubborn);
    cloud.config.cancelGraceSeconds = 0.1;
    cloud.submit('tsk_1', { leaseSeconds: 4.5 });
    startShim(cloud);
    const pids = await pidsOf('tsk_1', 2);
    cloud.override('tasks/tsk_1/heartbeat', () => problem(409, 'fence_lost'));
    await cloud.called('tasks/tsk_1/heartbeat');
    cloud.submit('tsk_2', { input: 'next', timeoutSeconds: 0.1 });
    cloud.ring();
    await cloud.called('tasks/tsk_2/fail');
    expect(pids.some(isAlive)).toBe(false);
    expect(cloud.count('tasks/tsk_1/fail') + cloud.count('tasks/tsk_1/complete')).toBe(0);
  });

  test('kills everything and exits when the runtime is replaced', async () => {
    run(stubborn);
    cloud.submit('tsk_1');
    const shim = startShim(cloud);
    const pids = await pidsOf('tsk_1', 2);
    cloud.override('claim', () => problem(409, 'runtime_replaced'));
    cloud.ring();
    expect(await shim.exit).toMatchObject({ code: 0 });
    expect(pids.some(isAlive)).toBe(false);
    expect(cloud.count('stop')).toBe(0);
  });
});

describe('stopping', () => {
  test('when idle saves first and says goodbye last', async () => {
    cloud.config.idleTimeoutSeconds = 0.3;
    cloud.config.workspace.save = 'stop';
    run('echo data > file');
    cloud.submit('tsk_1');
    expect(await startShim(cloud).exit).toMatchObject({ code: 0, why: 'idle' });
    expect(cloud.calls.slice(-2).map(({ route, body }) => [route, body.reason])).toEqual([
      ['workspace', undefined],
      ['stop', 'idle'],
    ]);
  });

  test('goes on when work came in between', async () => {
    cloud.config.idleTimeoutSeconds = 0.2;
    let first = true;
    cloud.override('stop', () => {
      if (!first) return null;
      first = false;
      cloud.submit('tsk_1', { input: 'late' });
      return { status: 200, body: { stop: false, instructions: cloud.instructions(1) } };
    });
    expect(await startShim(cloud).exit).toMatchObject({ code: 0 });
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: 'late' });
    expect(cloud.count('stop')).toBe(2);
  });

  test('on request finishes what runs and takes nothing more', async () => {
    run('sleep 0.3');
    cloud.submit('tsk_1');
    cloud.submit('tsk_2');
    cloud.orders = { stop: { reason: 'pause', force: false } };
    expect(await startShim(cloud).exit).toMatchObject({ code: 0 });
    expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ slots: 0 });
    expect(await cloud.called('stop')).toEqual({ reason: 'requested' });
    expect(cloud.queue).toHaveLength(1);
  });

  test('by force hands back what runs', async () => {
    run(stubborn);
    cloud.config.cancelGraceSeconds = 0.2;
    cloud.submit('tsk_1');
    const shim = startShim(cloud);
    const pids = await pidsOf('tsk_1', 2);
    cloud.orders = { stop: { reason: 'pause', force: true } };
    cloud.ring();
    expect(await shim.exit).toMatchObject({ code: 0 });
    expect(cloud.calls.slice(-3).map(({ route }) => route)).toContain('tasks/tsk_1/release');
    expect(pids.some(isAlive)).toBe(false);
  });

  test('at the end of its lifetime happens between tasks', async () => {
    cloud.config.maxLifetimeSeconds = 0.3;
    run('sleep 0.6');
    cloud.submit('tsk_1');
    cloud.submit('tsk_2');
    expect(await startShim(cloud).exit).toMatchObject({ code: 0, why: 'lifetime' });
    expect(cloud.count('tasks/tsk_1/complete')).toBe(1);
    expect(cloud.queue).toHaveLength(1);
  });
});

describe('the shim as a process', () => {
  test('on SIGTERM hands its task back, saves, says goodbye, and exits with 0', async () => {
    run(`echo unsaved > file; ${stubborn}`);
    cloud.config.stopTimeoutSeconds = 24;
    cloud.submit('tsk_1');
    const shim = spawnShim(cloud);
    const pids = await pidsOf('tsk_1', 2);
    shim.child.kill('SIGTERM');
    expect(await shim.exit).toBe(0);
    // On a slow machine its last signals may be all that they got.
    await expect.poll(() => pids.some(isAlive)).toBe(false);
    const routes = cloud.calls.map(({ route }) => route);
    expect(routes.slice(-3)).toEqual(['tasks/tsk_1/release', 'workspace', 'stop']);
    expect(cloud.calls.at(-1)?.body).toEqual({ reason: 'signal' });
  });

  test('notes its groups where the local mode looks for them', async () => {
    const pidsFile = join(temporaryFolder(), 'pids');
    run('echo $$');
    cloud.submit('tsk_1');
    cloud.config.idleTimeoutSeconds = 0;
    const shim = spawnShim(cloud, { env: { ROUSE_PIDS_FILE: pidsFile } });
    const { output } = (await cloud.called('tasks/tsk_1/complete')) as { output: string };
    expect(readFileSync(pidsFile, 'utf8')).toBe(output);
    expect(await shim.exit).toBe(0);
    expect(shim.output()).not.toMatch(/token-\d|brokered|task-role/);
  });

  test('says which variables are missing', async () => {
    const shim = spawnShim(cloud, { env: { ROUSE_TENANT: '', AWS_REGION: '' } });
    expect(await shim.exit).toBe(1);
    expect(shim.output()).toContain('ROUSE_TENANT is not set; AWS_REGION is not set');
  });
});
