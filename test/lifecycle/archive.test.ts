import { describe, expect, test } from 'vitest';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

/** A paused agent with the generations 1 to 3. */
async function savedAgent(): Promise<string> {
  const { id } = await client.createAgent('echo', { start: true });
  await client.becomes(id, 'running');
  for (const name of ['a', 'b', 'c']) await stack.fleet.newest.saveWorkspace([name]);
  await stack.call('POST', `/v1/agents/${id}/pause`, {}, 202);
  await client.becomes(id, 'paused');
  return id;
}

const archive = (id: string) => stack.call('POST', `/v1/agents/${id}/archive`, undefined, 202);
const restore = (id: string) => stack.call('POST', `/v1/agents/${id}/restore`, undefined, 202);

async function numbersOf(id: string): Promise<number[]> {
  const page = await stack.call<{ items: { generation: number }[] }>('GET', `/v1/agents/${id}/generations`);
  return page.items.map(({ generation }) => generation);
}

describe('an archived agent', () => {
  test('says since when and why, and keeps only its current files', async () => {
    const id = await savedAgent();
    const before = stack.clock.now();
    await archive(id);
    await stack.advance(5);
    expect(await client.agent(id)).toMatchObject({
      status: 'archived',
      statusReason: 'archived by request',
      statusSince: new Date(before).toISOString(),
      workspace: { generation: 3 },
    });
    expect(await numbersOf(id)).toEqual([3]);
    expect((await stack.objects(`agents/default/${id}/`)).map((key) => key.split('/').slice(-2).join('/'))).toEqual([
      '3/manifest.json',
      'packs/c',
    ]);
  });

  test('takes no work, and the refusal says what to do', async () => {
    const id = await savedAgent();
    await archive(id);
    const refused = await stack.request('POST', `/v1/agents/${id}/tasks`, { input: 'x' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'agent_archived' } });
    expect(refused.body.detail).toContain(`/v1/agents/${id}/restore`);
  });

  test('never wakes; what waits stays queued, expires in time, and goes on when it is restored', async () => {
    const id = await savedAgent();
    await stack.call('POST', `/v1/agents/${id}/pause`, { hold: true }, 202);
    const waiting = await client.submit(id, 'x');
    const expiring = await client.submit(id, 'y', { expiresInSeconds: 90 });
    await archive(id);
    await stack.advance(600);
    expect(await client.agent(id)).toMatchObject({ status: 'archived', tasks: { queued: 1, running: 0 } });
    expect(await client.task(expiring.id)).toMatchObject({ status: 'expired' });
    expect(await client.task(waiting.id)).toMatchObject({
      status: 'queued',
      statusReason: 'its agent is archived; restored, it goes on',
    });
    await restore(id);
    expect(await client.agent(id)).toMatchObject({ status: 'paused', held: true, statusReason: 'held' });
    expect(await client.task(waiting.id)).toMatchObject({ statusReason: 'its agent is held; resumed, it goes on' });
    await stack.call('POST', `/v1/agents/${id}/resume`, undefined, 202);
    expect(await client.ended(waiting.id)).toMatchObject({ status: 'succeeded' });
    expect(stack.fleet.newest.files).toEqual(['c']);
  });

  test('is archived and restored once, however often that is asked and whoever dies', async () => {
    const id = await savedAgent();
    stack.crash = ({ function: name, request }) =>
      name === 'api' && request.headers['x-amz-target']?.endsWith('.UpdateItem') ? 'after' : undefined;
    expect(await stack.request('POST', `/v1/agents/${id}/archive`)).toMatchObject({ status: 500 });
    stack.crash = undefined;
    // Nobody was told: the due time is enough.
    await stack.advance(120);
    expect(await numbersOf(id)).toEqual([3]);
    const again = await stack.request('POST', `/v1/agents/${id}/archive`);
    expect(again).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
    expect(again.body.detail).toContain('paused, error');
    await restore(id);
    expect(await stack.request('POST', `/v1/agents/${id}/restore`)).toMatchObject({ status: 409 });
    await stack.advance(1);
    const types = await client.types(id);
    expect(types.filter((type) => type === 'agent.archived' || type === 'agent.restored')).toHaveLength(2);
  });
});

test('a running agent is not archived, and the refusal says what would be allowed', async () => {
  const { id } = await client.createAgent('echo', { start: true });
  await client.becomes(id, 'running');
  const refused = await stack.request('POST', `/v1/agents/${id}/archive`);
  expect(refused).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
  expect(refused.body.detail).toContain('paused, error');
});
