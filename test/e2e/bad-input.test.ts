import { describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient, ProblemResource, TaskResource } from './support/client.ts';
import { sharedStack } from './support/shared-stack.ts';

let api: ApiClient;
let agent: AgentResource;

sharedStack(async (client) => {
  api = client;
  agent = await api.shell('cat');
});

/** Every refusal is a problem document with a code, a sentence and a request id. */
async function refused(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<ProblemResource> {
  const answer = await api.request(method, path, body, headers);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body.status).toBe(answer.status);
  expect(answer.body.requestId).toMatch(/./);
  expect(answer.body.detail).toMatch(/\w.*[.?]$/);
  return answer.body;
}

describe('a body', () => {
  test('with a misspelt field is refused, and the right name is suggested', async () => {
    const problem = await refused('PUT', '/v1/templates/typo', {
      driver: { type: 'command', command: ['cat'] },
      task: { timoutSeconds: 5 },
    });
    expect(problem).toMatchObject({
      status: 422,
      code: 'invalid',
      issues: [{ path: 'task.timoutSeconds', message: 'Unknown field; did you mean "timeoutSeconds"?' }],
    });
    expect((await refused('GET', '/v1/templates/typo')).code).toBe('not_found');
  });

  test('that is not JSON is a 400 that says where it breaks', async () => {
    const problem = await refused('POST', '/v1/agents', '{"template": words}');
    expect(problem).toMatchObject({ status: 400, code: 'malformed_json' });
    expect(problem.detail).toContain('w');
  });

  test('over 1 MiB is a 413 with both sizes', async () => {
    const body = JSON.stringify({ input: 'x'.repeat(1024 * 1024) });
    const problem = await refused('POST', `/v1/agents/${agent.id}/tasks`, body);
    expect(problem).toMatchObject({ status: 413, code: 'too_large' });
    expect(problem.detail).toBe(`The body has ${body.length} bytes; at most 1048576 are allowed.`);
    expect(await api.agentNow(agent)).toMatchObject({ tasks: { queued: 0, running: 0 } });
  });

  test('of another content type is a 415', async () => {
    const problem = await refused('POST', '/v1/agents', 'template=words', { 'content-type': 'text/plain' });
    expect(problem).toMatchObject({ status: 415, code: 'unsupported_media_type' });
  });

  test('with a field that is not built yet is refused as such', async () => {
    const problem = await refused('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x', onBusy: 'interrupt' });
    expect(problem).toMatchObject({ status: 422, code: 'not_supported', issues: [{ path: 'onBusy' }] });
  });
});

describe('a key', () => {
  test('that is wrong is a 401 that does not repeat it', async () => {
    const problem = await refused('GET', '/v1/agents', undefined, { authorization: 'Bearer rouse_wrong' });
    expect(problem).toMatchObject({ status: 401, code: 'unauthorized' });
    expect(JSON.stringify(problem)).not.toContain('rouse_wrong');
  });

  test('that is missing is a 401 that says how to send one', async () => {
    const response = await fetch(`${api.apiUrl}/v1/agents`);
    expect(response.status).toBe(401);
    expect(((await response.json()) as ProblemResource).detail).toContain('Authorization: Bearer');
  });

  test('of the API opens no route of the runtime', async () => {
    expect(await refused('POST', '/v1/runtime/claim', { slots: 1, running: [] })).toMatchObject({ status: 401 });
  });
});

describe('a path', () => {
  test('that does not exist is a 404', async () => {
    expect(await refused('GET', '/v1/agent')).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('with another method than allowed is a 405', async () => {
    expect(await refused('DELETE', '/v1/agents')).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });

  test('that is documented but not built is a 422', async () => {
    expect(await refused('GET', '/v1/usage')).toMatchObject({ status: 422, code: 'not_supported' });
    expect(await refused('POST', '/v1/channels/news/messages', {})).toMatchObject({
      status: 422,
      code: 'not_supported',
    });
  });

  test.each([
    ['an id that does not exist', 'tsk_01HX00000000000000CARD0001'],
    ['an id that can not exist', 'tsk_nonsense'],
  ])('with %s is a 404', async (_, id) => {
    expect(await refused('GET', `/v1/tasks/${id}`)).toMatchObject({ status: 404, code: 'not_found' });
    expect(await refused('POST', `/v1/tasks/${id}/cancel`)).toMatchObject({ status: 404, code: 'not_found' });
  });
});

describe('an agent', () => {
  test('of an unknown template is refused and not made', async () => {
    const problem = await refused('POST', '/v1/agents', { template: 'no-such' });
    expect(problem).toMatchObject({ status: 422, code: 'invalid', issues: [{ path: 'template' }] });
    expect(problem.detail).toContain('PUT /v1/templates/no-such');
    const { items } = await api.call<{ items: AgentResource[] }>('GET', '/v1/agents?template=no-such');
    expect(items).toEqual([]);
  });

  test('that is terminated takes no task', async () => {
    const gone = await api.shell('cat');
    await api.call('DELETE', `/v1/agents/${gone.id}`);
    const problem = await refused('POST', `/v1/agents/${gone.id}/tasks`, { input: 'x' });
    expect(problem).toMatchObject({ status: 409, code: 'agent_terminated' });
    expect(problem.detail).toContain(gone.id);
  });
});

describe('an Idempotency-Key', () => {
  test('replays the first answer and does nothing twice', async () => {
    const held = await api.shell('cat');
    await api.call('POST', `/v1/agents/${held.id}/pause`, { hold: true });
    const path = `/v1/agents/${held.id}/tasks`;
    const headers = { 'idempotency-key': 'once' };
    const first = await api.request<TaskResource>('POST', path, { input: 'x' }, headers);
    const again = await api.request<TaskResource>('POST', path, { input: 'x' }, headers);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    expect((await api.agentNow(held)).tasks.queued).toBe(1);
  });

  test('with another body is a conflict', async () => {
    const headers = { 'idempotency-key': 'twice' };
    const { template } = await api.call<{ template: string }>('GET', `/v1/agents/${agent.id}`);
    await api.request('POST', '/v1/agents', { template }, headers);
    const problem = await refused('POST', '/v1/agents', { template, name: 'another' }, headers);
    expect(problem).toMatchObject({ status: 409, code: 'idempotency_conflict' });
  });

  test('makes one task of many requests at once', async () => {
    const held = await api.shell('cat');
    await api.call('POST', `/v1/agents/${held.id}/pause`, { hold: true });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        api.request('POST', `/v1/agents/${held.id}/tasks`, { input: 'x' }, { 'idempotency-key': 'race' }),
      ),
    );
    const statuses = answers.map(({ status, body }) => (status === 202 ? 202 : body.code));
    expect(statuses).toContain(202);
    expect(statuses.filter((status) => status !== 202 && status !== 'idempotency_in_progress')).toEqual([]);
    expect((await api.agentNow(held)).tasks.queued).toBe(1);
  });
});
