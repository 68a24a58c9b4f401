import { expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './support/client.ts';
import { sharedStack, timed } from './support/shared-stack.ts';

let api: ApiClient;
sharedStack((client) => {
  api = client;
});

interface PooledTemplate {
  pool: { wanted: number; ready: number };
}

/** Real processes take their time to come up. */
async function ready(template: string, count: number): Promise<void> {
  await expect
    .poll(async () => (await api.call<PooledTemplate>('GET', `/v1/templates/${template}`)).pool.ready, {
      timeout: 25_000,
      interval: 100,
    })
    .toBe(count);
}

test('an agent wakes in a process that had started before, with its own identity, environment and workspace', {
  ...timed,
  timeout: 60_000,
}, async () => {
  const script = 'echo "$ROUSE_AGENT_ID $GREETING $(cat memory 2>/dev/null)"; cat > memory';
  await api.call('PUT', '/v1/templates/warm', {
    driver: { type: 'command', command: ['sh', '-c', script] },
    env: { GREETING: 'hello' },
    warmPool: 1,
    idleTimeoutSeconds: 1,
  });
  await ready('warm', 1);
  const agent = await api.call<AgentResource>('POST', '/v1/agents', { template: 'warm' });
  const first = await api.finished(await api.submit(agent, 'remembered'));
  expect(first).toMatchObject({ status: 'succeeded', output: `${agent.id} hello \n` });
  await expect
    .poll(async () => (await api.call<AgentResource>('GET', `/v1/agents/${agent.id}`)).status, { timeout: 20_000 })
    .toBe('paused');
  await ready('warm', 1);
  const second = await api.finished(await api.submit(agent, 'again'));
  expect(second).toMatchObject({ status: 'succeeded', output: `${agent.id} hello remembered\n` });
  const events = await api.eventsWith(agent, 'task.succeeded', [second]);
  expect(events.filter(({ type }) => type === 'agent.starting').map(({ data }) => data.warm)).toEqual([true, true]);
  await api.call('PUT', '/v1/templates/warm', { driver: { type: 'command', command: ['true'] }, warmPool: 0 });
});
