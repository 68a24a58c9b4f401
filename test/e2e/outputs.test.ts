import { describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './support/client.ts';
import { sharedStack } from './support/shared-stack.ts';
import { payloadTests } from './support/shared-tests.ts';

let api: ApiClient;
/** Its tasks' inputs are the scripts that it runs. */
let scripts: AgentResource;

sharedStack(async (client) => {
  api = client;
  scripts = await api.agent({
    driver: { type: 'command', command: ['sh'] },
    task: { maxAttempts: 1 },
    concurrency: 4,
  });
});

payloadTests(() => api);

describe('an output', () => {
  test('that is small comes with the task', async () => {
    const task = await api.run(scripts, 'printf "grüße"');
    expect(task).toMatchObject({ status: 'succeeded', output: 'grüße', attempt: 1, failures: 0, error: null });
  });

  test('over 100 MB fails the task, and says what to do', async () => {
    const task = await api.run(scripts, 'head -c 100000001 /dev/zero');
    expect(task).toMatchObject({ status: 'failed', output: null, error: { code: 'output_too_large' } });
    expect(task.error?.message).toMatch(/100 MB.*"files"\.$/);
  });

  test('that should be JSON and is not fails the task with what it starts with', async () => {
    const task = await api.run(scripts, 'echo here you are: {}', { output: { type: 'json' } });
    expect(task).toMatchObject({ status: 'failed', error: { code: 'output_invalid' } });
    expect(task.error?.message).toContain('"here you are: {}');
  });

  test('that does not fit its schema fails the task and names the place', async () => {
    const schema = { type: 'object', properties: { count: { type: 'integer' } } };
    const task = await api.run(scripts, `echo '{"count": "many"}'`, { output: { type: 'json', schema } });
    expect(task).toMatchObject({ status: 'failed', error: { code: 'output_invalid' } });
    expect(task.error?.message).toContain('count');
  });

  test('that fits its schema is JSON', async () => {
    const schema = { type: 'object', required: ['count'] };
    const task = await api.run(scripts, `echo '{"count": 2}'`, { output: { type: 'json', schema } });
    expect(task).toMatchObject({ status: 'succeeded', output: { count: 2 } });
  });
});

describe('an input', () => {
  test('whose upload never came is refused and leaves no task', async () => {
    const { ref } = await api.call<{ ref: string }>('POST', '/v1/uploads', {});
    const answer = await api.request('POST', `/v1/agents/${scripts.id}/tasks`, { input: { $ref: ref } });
    expect(answer.body).toMatchObject({ status: 422, code: 'invalid', issues: [{ path: 'input.$ref' }] });
    expect((await api.agentNow(scripts)).tasks).toEqual({ queued: 0, running: 0 });
  });
});

describe('what can not start', () => {
  test('a command that does not exist fails the task with a sentence that helps', async () => {
    const agent = await api.agent({
      driver: { type: 'command', command: ['no-such-program', '-x'] },
      task: { maxAttempts: 1 },
    });
    const task = await api.run(agent, 'x');
    expect(task).toMatchObject({ status: 'failed', failures: 1, error: { code: 'command_not_found' } });
    expect(task.error?.message).toContain('"no-such-program" was not found');
    expect(await api.agentNow(agent)).toMatchObject({ status: 'running', statusReason: 'it has no work' });
  });

  test('an image that can not be pulled is said in the agent, and its task stays queued', async () => {
    const agent = await api.agent({
      image: '127.0.0.1:9/nobody/nothing:1',
      driver: { type: 'command', command: ['cat'] },
    });
    const task = await api.submit(agent, 'x');
    const paused = await api.until(
      'a failed launch',
      () => api.agentNow(agent),
      ({ statusReason }) => statusReason?.includes('launch failed'),
    );
    expect(paused).toMatchObject({ status: 'paused', runtime: null, tasks: { queued: 1, running: 0 } });
    expect(paused.statusReason).toMatch(
      /CannotPullContainerError: .*127\.0\.0\.1:9\/nobody\/nothing.*next try in \d+ s$/,
    );
    const events = await api.until(
      'a second try',
      () => api.events(agent),
      (found) => found.filter(({ type }) => type === 'agent.launch_failed').length >= 2,
    );
    const [first, second] = events.filter(({ type }) => type === 'agent.launch_failed');
    expect([first?.data.retryInSeconds, second?.data.retryInSeconds]).toEqual([1, 2]);
    expect(await api.task(task)).toMatchObject({ status: 'queued', attempt: 0, failures: 0 });
    await api.call('POST', `/v1/tasks/${task.id}/cancel`);
    await api.call('DELETE', `/v1/agents/${agent.id}`);
  });
});
