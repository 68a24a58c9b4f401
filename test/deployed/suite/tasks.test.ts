import { beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource } from '../../e2e/support/client.ts';
import { api, target } from './setup.ts';

/** Its tasks' inputs are the scripts that it runs. */
let agent: AgentResource;

beforeAll(async () => {
  agent = await api.agent({
    driver: { type: 'command', command: ['sh'] },
    cancelGraceSeconds: 1,
    task: { maxAttempts: 2, retry: { initialSeconds: 1, nonRetryable: ['exit_4'] } },
  });
});

describe('the API', () => {
  test('says that it is well, without a key', async () => {
    const response = await fetch(`${target.apiUrl}/v1/health`);
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ status: 'ok' })]);
  });

  test('describes itself', async () => {
    const openapi = await api.call<{ openapi: string; paths: object }>('GET', '/v1/openapi.json');
    expect(openapi.openapi).toMatch(/^3\.1/);
    expect(Object.keys(openapi.paths)).toContain('/v1/agents/{id}/tasks');
  });

  test('refuses a wrong key, and an unknown route, by a problem document', async () => {
    const refused = await api.request('GET', '/v1/agents', undefined, { authorization: 'Bearer rouse_wrong' });
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.body).toMatchObject({ status: 401, code: 'unauthorized', requestId: expect.any(String) });
    expect((await api.request('GET', '/v1/agent')).body).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('opens the routes of the shim to nobody with an API key', async () => {
    const answer = await api.request('POST', '/v1/runtime/claim', { slots: 1, running: [] });
    expect(answer.status).toBe(401);
  });

  test('replays an answer by its Idempotency-Key', async () => {
    const paused = await api.agent({ driver: { type: 'command', command: ['cat'] } });
    await api.call('POST', `/v1/agents/${paused.id}/pause`, { hold: true });
    const headers = { 'idempotency-key': 'once' };
    const path = `/v1/agents/${paused.id}/tasks`;
    const first = await api.request('POST', path, { input: 'x' }, headers);
    const again = await api.request('POST', path, { input: 'x' }, headers);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    expect((await api.agentNow(paused)).tasks.queued).toBe(1);
  });
});

describe.concurrent('a task', () => {
  test('is answered by an agent that was made from a template', async () => {
    const task = await api.run(agent, 'printf "grüße"');
    expect(task).toMatchObject({ status: 'succeeded', output: 'grüße', attempt: 1, failures: 0, error: null });
  });

  test('leaves its lines in the log', async () => {
    const task = await api.run(agent, 'echo one; echo two >&2');
    const lines = await api.until(
      'two lines',
      () => api.lines(agent, task),
      (found) => found.length === 2,
    );
    expect(lines.sort()).toEqual(['one', 'two']);
  });

  test('is told by events, gapless and in order', async () => {
    const told = await api.shell('cat');
    const task = await api.run(told, 'x');
    const events = await api.eventsWith(told, 'task.succeeded', [task]);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    const types = events.map(({ type }) => type);
    const wanted = ['task.queued', 'agent.starting', 'agent.running', 'task.started', 'task.succeeded'];
    expect(types.filter((type) => wanted.includes(type))).toEqual(wanted);
  });

  test('that fails is tried again by its policy', async () => {
    const task = await api.run(agent, '[ $ROUSE_ATTEMPT = 2 ] || exit 3; echo done');
    expect(task).toMatchObject({ status: 'succeeded', output: 'done\n', attempt: 2, failures: 1 });
  });

  test('that fails for good says how', async () => {
    const task = await api.run(agent, 'echo it broke >&2; exit 4');
    expect(task).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'exit_4' } });
    expect(task.error?.message).toContain('it broke');
  });

  test('that takes too long is timed out', async () => {
    const task = await api.run(agent, 'sleep 300', { timeoutSeconds: 2, maxAttempts: 1 });
    expect(task).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
  });

  test('with an answer of a schema is JSON', async () => {
    const schema = { type: 'object', required: ['count'] };
    const output = { type: 'json', schema };
    expect(await api.run(agent, `echo '{"count": 2}'`, { output })).toMatchObject({ output: { count: 2 } });
    const wrong = await api.run(agent, `echo '{}'`, { output, maxAttempts: 1 });
    expect(wrong).toMatchObject({ status: 'failed', error: { code: 'output_invalid' } });
  });

  test('that runs is cancelled, with the proof that nothing of it still runs', async () => {
    const cancelled = await api.agent({ driver: { type: 'command', command: ['sh'] }, cancelGraceSeconds: 1 });
    const task = await api.submit(cancelled, `trap '' TERM; echo here; sleep 300`);
    await api.until(
      'its start',
      () => api.task(task),
      ({ status }) => status === 'running',
    );
    expect(await api.call('POST', `/v1/tasks/${task.id}/cancel`)).toMatchObject({ status: 'cancelling' });
    expect(await api.finished(task)).toMatchObject({ status: 'cancelled', error: { code: 'cancelled' } });
    const events = await api.eventsWith(cancelled, 'task.cancelled', [task]);
    expect(events.find(({ type }) => type === 'task.cancelled')?.data.proof).toEqual(expect.any(String));
  });

  test('that waits is cancelled at once', async () => {
    const paused = await api.shell('cat');
    await api.call('POST', `/v1/agents/${paused.id}/pause`, { hold: true });
    const task = await api.submit(paused, 'x');
    expect(await api.call('POST', `/v1/tasks/${task.id}/cancel`)).toMatchObject({ status: 'cancelled', attempt: 0 });
  });

  test('that nobody started in time expires', async () => {
    const paused = await api.shell('cat');
    await api.call('POST', `/v1/agents/${paused.id}/pause`, { hold: true });
    const task = await api.submit(paused, 'x', { expiresInSeconds: 1 });
    expect(await api.finished(task)).toMatchObject({ status: 'expired', attempt: 0 });
  });

  test('of the future starts when its time has come', async () => {
    const sleeper = await api.shell('cat');
    const notBeforeMs = Date.now() + 3000;
    const task = await api.run(sleeper, 'x', { notBefore: new Date(notBeforeMs).toISOString() });
    expect(task.status).toBe('succeeded');
    expect(Date.parse(task.startedAt!)).toBeGreaterThanOrEqual(notBeforeMs);
  });
});
