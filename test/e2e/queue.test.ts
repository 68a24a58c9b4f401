import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './support/client.ts';
import { sharedStack, timed } from './support/shared-stack.ts';
import { queueOrderTest } from './support/shared-tests.ts';

let api: ApiClient;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-e2e-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
sharedStack((client) => {
  api = client;
});

queueOrderTest(() => api);

const held = async (template: object = {}): Promise<AgentResource> => {
  const agent = await api.agent({ driver: { type: 'command', command: ['sh'] }, ...template });
  await api.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true });
  return agent;
};

describe('a queue', () => {
  test('gives an agent as many tasks at once as its concurrency says, and no more', async () => {
    const agent = await held({ concurrency: 4 });
    // None ends before four are there.
    const script = `cd ${folder}; touch in-$ROUSE_TASK_ID
      i=0; until [ $(ls in-* | wc -l) -ge 4 ]; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.05; done
      touch out-$ROUSE_TASK_ID`;
    const tasks = [];
    for (let i = 0; i < 4; i++) tasks.push(await api.submit(agent, script, { maxAttempts: 1 }));
    const fifth = await api.submit(agent, `ls ${folder} | grep -c out-`);
    await api.call('POST', `/v1/agents/${agent.id}/resume`);
    const ends = await Promise.all(tasks.map((task) => api.finished(task)));
    expect(ends.map(({ status }) => status)).toEqual(Array(4).fill('succeeded'));
    expect(Number((await api.finished(fifth)).output)).toBeGreaterThanOrEqual(1);
  });

  test('keeps a task until its time has come, to the second, also while its agent is paused', timed, async () => {
    const agent = await api.agent({ driver: { type: 'command', command: ['sh'] } });
    const notBeforeMs = Date.now() + 1500;
    const task = await api.submit(agent, 'true', { notBefore: new Date(notBeforeMs).toISOString() });
    expect(await api.agentNow(agent)).toMatchObject({ status: 'paused', tasks: { queued: 1 } });
    const starting = (await api.eventsWith(agent, 'task.succeeded', [task])).find(
      ({ type }) => type === 'agent.starting',
    );
    const lateMs = Date.parse(starting!.time) - notBeforeMs;
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1500);

    const soonMs = Date.now() + 1500;
    const second = await api.run(agent, 'true', { notBefore: new Date(soonMs).toISOString() });
    expect(Date.parse(second.startedAt!) - soonMs).toBeGreaterThanOrEqual(0);
    expect(Date.parse(second.startedAt!) - soonMs).toBeLessThan(1000);
  });

  test('lets a task expire that was not started in time, also while its agent is held', async () => {
    const agent = await held();
    const task = await api.submit(agent, 'true', { expiresInSeconds: 1 });
    expect(await api.finished(task)).toMatchObject({ status: 'expired', attempt: 0, error: { code: 'expired' } });
    expect(await api.agentNow(agent)).toMatchObject({ status: 'paused', tasks: { queued: 0, running: 0 } });
  });

  test('is closed to a task that wants an idle agent while there is work', async () => {
    const agent = await held();
    const first = await api.submit(agent, 'true', { onBusy: 'reject' });
    const refused = await api.request('POST', `/v1/agents/${agent.id}/tasks`, { input: 'true', onBusy: 'reject' });
    expect(refused.body).toMatchObject({ status: 409, code: 'agent_busy', taskId: first.id });
    expect((await api.agentNow(agent)).tasks.queued).toBe(1);
  });
});
