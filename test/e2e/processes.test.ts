import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { beforeEach, describe, expect, test } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import type { AgentResource, ApiClient, EventResource, TaskResource } from './support/client.ts';
import { isAlive, numbersIn } from './support/processes.ts';
import type { RunningStack } from './support/running-stack.ts';
import { sharedStack, timed } from './support/shared-stack.ts';

let stack: RunningStack;
let api: ApiClient;
/** Its tasks' inputs are the scripts that it runs. */
let agent: AgentResource;
let folder: string;
let pidsFile: string;
/** A command is a direct child of its shim. */
let shimFile: string;

sharedStack(async (client, running) => {
  stack = running;
  api = client;
  agent = await api.agent({
    driver: { type: 'command', command: ['sh'] },
    cancelGraceSeconds: 1,
    task: { maxAttempts: 3, retry: { initialSeconds: 1, coefficient: 2, nonRetryable: ['exit_4', 'exit_75'] } },
  });
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-e2e-'));
  pidsFile = join(folder, 'pids');
  shimFile = join(folder, 'shim');
  return () => rmSync(folder, { recursive: true, force: true });
});

/** Only Linux tells which processes belong to a task that left its process group. */
const leavers = process.platform === 'linux' ? 1 : 0;
const familySize = 3 + leavers;

/** Itself, a child, a grandchild and one that left its group; all of them note their pids and stay. */
const family = () => `
  echo $PPID > ${shimFile}
  echo $$ >> ${pidsFile}
  sleep 300 & echo $! >> ${pidsFile}
  sh -c 'sleep 300 & echo $! >> ${pidsFile}; wait' &
  ${leavers ? `setsid sh -c 'echo $$ >> ${pidsFile}; exec sleep 300' &` : ''}
  wait`;

async function familyOf(task: TaskResource): Promise<number[]> {
  const pids = await api.until(
    `the processes of ${task.id}`,
    () => numbersIn(pidsFile),
    (found) => found.length === familySize,
  );
  expect(pids.filter(isAlive)).toHaveLength(familySize);
  return pids;
}

/** All events of a task that has ended with `last`. */
async function eventsOf(task: TaskResource, last: string): Promise<EventResource[]> {
  return (await api.eventsWith(agent, last, [task])).filter((event) => event.taskId === task.id);
}

/** Keys of what an agent has stored. */
async function objectsOf(owner: AgentResource): Promise<string[]> {
  const s3 = new S3Client({
    region: 'us-east-1',
    credentials: localAdministrator,
    endpoint: stack.awsEndpointUrl,
    forcePathStyle: true,
  });
  const { Contents } = await s3.send(
    new ListObjectsV2Command({ Bucket: stack.bucket, Prefix: `agents/default/${owner.id}/` }),
  );
  return (Contents ?? []).map(({ Key }) => Key!);
}

function seconds(from: EventResource | undefined, to: EventResource | undefined): number {
  return (Date.parse(to!.time) - Date.parse(from!.time)) / 1000;
}

describe('a time-out', () => {
  test('ends every process of the task, also those that left its group', async () => {
    const task = await api.submit(agent, family(), { timeoutSeconds: 2, maxAttempts: 1 });
    const pids = await familyOf(task);
    expect(await api.finished(task)).toMatchObject({ status: 'timed_out', failures: 1, error: { code: 'timed_out' } });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe('a failed attempt', () => {
  test('is repeated by the policy, to the second, until its attempts are used up', timed, async () => {
    const task = await api.run(agent, 'echo it broke >&2; exit 3');
    expect(task).toMatchObject({ status: 'failed', attempt: 3, failures: 3, error: { code: 'exit_3' } });
    expect(task.error?.message).toContain('it broke');
    const events = await eventsOf(task, 'task.failed');
    expect(events.map(({ type }) => type)).toEqual([
      'task.queued',
      'task.started',
      'task.attempt_failed',
      'task.started',
      'task.attempt_failed',
      'task.started',
      'task.failed',
    ]);
    const gaps = [seconds(events[2], events[3]), seconds(events[4], events[5])];
    expect(gaps[0]).toBeGreaterThanOrEqual(1);
    expect(gaps[0]).toBeLessThan(1.7);
    expect(gaps[1]).toBeGreaterThanOrEqual(2);
    expect(gaps[1]).toBeLessThan(2.7);
  });

  test('with a code that is not retryable is the last', async () => {
    const task = await api.run(agent, 'exit 4');
    expect(task).toMatchObject({ status: 'failed', attempt: 1, failures: 1, error: { code: 'exit_4' } });
  });

  test('with exit code 75 is repeated whatever the policy calls not retryable', async () => {
    const task = await api.run(agent, '[ $ROUSE_ATTEMPT = 2 ] || exit 75; echo done');
    expect(task).toMatchObject({ status: 'succeeded', attempt: 2, failures: 1, output: 'done\n', error: null });
  });
});

describe('a cancel', () => {
  test('of a running task says `cancelled` only when its processes are dead', async () => {
    const task = await api.submit(agent, `trap '' TERM\n${family()}`);
    const pids = await familyOf(task);
    expect(await api.call('POST', `/v1/tasks/${task.id}/cancel`)).toMatchObject({ status: 'cancelling' });
    let livedWhileCancelling = false;
    const end = await api.until(
      'the cancel',
      async () => {
        // Looked at before the task is read: what lives now may only be called cancelling, or cancelled later.
        const living = pids.some(isAlive);
        const now = await api.task(task);
        if (now.status === 'cancelling') livedWhileCancelling ||= living;
        if (now.status === 'cancelled') expect(pids.filter(isAlive)).toEqual([]);
        return now;
      },
      ({ finishedAt }) => finishedAt !== null,
    );
    expect(end).toMatchObject({ status: 'cancelled', failures: 0, error: { code: 'cancelled' } });
    expect(livedWhileCancelling).toBe(true);
    expect((await eventsOf(task, 'task.cancelled')).at(-1)).toMatchObject({
      type: 'task.cancelled',
      data: { proof: expect.stringContaining('its processes have ended') },
    });
  });

  test('of a queued task takes effect at once', async () => {
    const running = await api.submit(agent, family());
    await familyOf(running);
    const queued = await api.submit(agent, 'echo never');
    expect(await api.call('POST', `/v1/tasks/${queued.id}/cancel`)).toMatchObject({ status: 'cancelled', attempt: 0 });
    await api.call('POST', `/v1/tasks/${running.id}/cancel`);
    await api.finished(running);
  });
});

describe('a shim killed in the middle of a task', () => {
  test('takes all of the task with it, which runs again elsewhere without blame', timed, async () => {
    const agent = await api.agent({ driver: { type: 'command', command: ['sh'] } });
    const script = `[ $ROUSE_ATTEMPT = 2 ] && { echo again; exit; }\n${family()}`;
    const task = await api.submit(agent, script);
    const pids = await familyOf(task);
    const before = (await api.agentNow(agent)).runtime!.id;
    const diedMs = Date.now();
    process.kill(numbersIn(shimFile)[0]!, 'SIGKILL');
    const end = await api.finished(task);
    expect(Date.now() - diedMs).toBeLessThan(15_000);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(end).toMatchObject({ status: 'succeeded', output: 'again\n', attempt: 2, failures: 0 });
    expect((await api.agentNow(agent)).runtime!.id).not.toBe(before);

    const events = await api.eventsWith(agent, 'task.succeeded', [task]);
    const lost = events.findIndex(({ type }) => type === 'agent.runtime_lost');
    expect(events[lost]).toMatchObject({ data: { runtimeId: before, proof: expect.stringContaining('137') } });
    const decided = events.slice(lost).find(({ type }) => type === 'agent.starting');
    expect(Date.parse(decided!.time) - diedMs).toBeLessThan(1500);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  });
});

describe('a task over its budget', () => {
  test('ends with all its processes, and is not tried again', timed, async () => {
    const spendFile = join(folder, 'spend');
    const spend = `(until [ -e ${spendFile} ]; do sleep 0.05; done; echo '{"output": 1001}' >&$ROUSE_USAGE_FD) &`;
    const task = await api.submit(agent, `${spend}\n${family()}`, { budget: { tokens: 1000 } });
    const pids = await familyOf(task);
    writeFileSync(spendFile, '');
    const end = await api.finished(task);
    expect(end).toMatchObject({
      status: 'failed',
      attempt: 1,
      error: { code: 'budget_exceeded', message: expect.stringContaining('1001 of 1000 tokens') },
      usage: { outputTokens: 1001 },
    });
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe('terminating an agent', () => {
  test('ends the processes of its tasks, cancels what waits, and removes its files', async () => {
    const doomed = await api.agent({
      driver: { type: 'command', command: ['sh'] },
      workspace: { minSaveIntervalSeconds: 0 },
    });
    await api.run(doomed, 'echo mine > file');
    expect((await objectsOf(doomed)).length).toBeGreaterThan(0);
    const running = await api.submit(doomed, family());
    const waiting = await api.submit(doomed, 'echo never');
    const pids = await familyOf(running);
    await api.call('DELETE', `/v1/agents/${doomed.id}`);
    const ends = [await api.finished(running), await api.finished(waiting)];
    expect(ends.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    expect(pids.filter(isAlive)).toEqual([]);
    await api.until(
      'the removal',
      () => objectsOf(doomed),
      (keys) => keys.length === 0,
    );
    expect(await api.agentNow(doomed)).toMatchObject({ status: 'terminated', runtime: null });
  });
});
