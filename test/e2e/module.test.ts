import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient, TaskResource } from './support/client.ts';
import { sharedStack, timed } from './support/shared-stack.ts';

let api: ApiClient;
let folder: string;
let agent: AgentResource;

/** The path of a module begins where the local stack was started. */
const path = relative(process.cwd(), join(import.meta.dirname, 'fixtures', 'agent.mjs'));

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-e2e-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
sharedStack(async (client) => {
  api = client;
  agent = await api.agent({ driver: { type: 'module', path }, task: { maxAttempts: 1 } });
});

describe('a module', () => {
  test('shows its progress while it runs, and answers with what it returned', async () => {
    const goFile = join(folder, 'go');
    const task = await api.submit(agent, { goFile }, { metadata: { order: 1 } });
    const running = await api.until(
      'the progress',
      () => api.task(task),
      ({ progress }) => progress !== null,
    );
    expect(running).toMatchObject({ status: 'running', progress: { step: 'waiting' } });
    writeFileSync(goFile, '');
    const end = await api.finished(task);
    expect(end).toMatchObject({
      status: 'succeeded',
      output: { answer: 42, metadata: { order: 1 } },
      usage: { inputTokens: 7, outputTokens: 3 },
    });
    expect(await api.lines(agent, end)).toEqual(['attempt 1 in the workspace']);
  });

  test('that throws fails the task with its own code and sentence', async () => {
    const task: TaskResource = await api.run(agent, { fail: true });
    expect(task).toMatchObject({ status: 'failed', error: { code: 'cold_oven', message: 'The oven is cold.' } });
  });

  test('takes a message and answers it: both agents wake for it', timed, async () => {
    const counter = await api.agent({ driver: { type: 'module', path } });
    const asker = await api.agent({
      driver: { type: 'command', command: ['sh', '-c', 'echo "$ROUSE_MESSAGE_FROM: $(cat)"'] },
    });
    const asked = await api.call<{ taskId: string }>('POST', `/v1/agents/${counter.id}/messages`, {
      body: { ask: 'how long?' },
      replyTo: asker.id,
    });
    const answer = await api.until(
      'the answer',
      async () => (await api.call<{ items: { taskId: string }[] }>('GET', `/v1/agents/${asker.id}/messages`)).items[0],
      (found) => found !== undefined,
    );
    expect(await api.finished({ id: answer!.taskId })).toMatchObject({ output: `${counter.id}: 9\n` });
    expect(await api.finished({ id: asked.taskId })).toMatchObject({ status: 'succeeded' });
  });

  test('that is not there fails the task with its path', async () => {
    const lost = await api.agent({ driver: { type: 'module', path: 'no-such.mjs' }, task: { maxAttempts: 1 } });
    const task = await api.run(lost, {});
    expect(task).toMatchObject({ status: 'failed' });
    expect(task.error?.message).toContain('no-such.mjs');
  });
});

describe('an idle agent', () => {
  /** Seconds from the end of a task to the decision to stop. */
  async function idleSeconds(input: object): Promise<number> {
    const idler = await api.agent({ driver: { type: 'module', path }, idleTimeoutSeconds: 1 });
    const { finishedAt } = await api.run(idler, input);
    const events = await api.until(
      'the pause',
      () => api.events(idler),
      (found) => found.some(({ type }) => type === 'agent.paused'),
    );
    const stopping = events.find(({ type }) => type === 'agent.stopping');
    return (Date.parse(stopping!.time) - Date.parse(finishedAt!)) / 1000;
  }

  test(
    'pauses when its idle time is over, or when the activity lease of its task ends, if that is later',
    timed,
    async () => {
      const [plain, leased] = await Promise.all([idleSeconds({}), idleSeconds({ activitySeconds: 3 })]);
      expect(plain).toBeGreaterThanOrEqual(0.9);
      expect(plain).toBeLessThan(2.5);
      expect(leased).toBeGreaterThan(2.8);
      expect(leased).toBeLessThan(6);
    },
  );
});
