import { describe, expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import type { FunctionCall } from '../support/stack.ts';
import { crashEverywhere } from './crash-everywhere.ts';

let source: AgentResource;

type Fork = AgentResource & { forkedFrom: unknown };

/** A paused agent with the generations 1 (a), 2 (a, b) and 3 (a, b, c). */
freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 600, workspace: { keepGenerations: 3 } });
  source = await client.createAgent('echo', { start: true, labels: { team: 'x' }, overrides: { env: { A: '1' } } });
  await client.becomes(source.id, 'running');
  for (const files of [['a'], ['a', 'b'], ['a', 'b', 'c']]) await stack.fleet.newest.saveWorkspace(files);
  await stack.call('POST', `/v1/agents/${source.id}/pause`, {}, 202);
  await client.becomes(source.id, 'paused');
});

const fork = (body: object = {}, key?: string) =>
  stack.call<Fork>('POST', `/v1/agents/${source.id}/fork`, body, 201, key ? { 'idempotency-key': key } : {});

const isCopied = (id: string) =>
  stack.until(async () => (await client.agent(id)).workspace !== null, 300, 'the copy of the files');

async function filesOf(id: string): Promise<string[]> {
  await stack.call('POST', `/v1/agents/${id}/resume`, undefined, 202);
  await client.becomes(id, 'running');
  return stack.fleet.newest.files;
}

const typesOf = async (id: string, type: string) => (await client.types(id)).filter((one) => one === type);

test('a fork is like its source, and has a copy of its files', async () => {
  const made = await fork({ name: 'twin' });
  expect(made).toMatchObject({
    name: 'twin',
    template: 'echo',
    templateVersion: 1,
    labels: { team: 'x' },
    overrides: { env: { A: '1' } },
    forkedFrom: { agentId: source.id, generation: 3 },
  });
  expect(made.id).not.toBe(source.id);
  await isCopied(made.id);
  expect(await filesOf(made.id)).toEqual(['a', 'b', 'c']);
  const keys = await stack.objects(`agents/default/${made.id}/`);
  expect(keys.filter((key) => key.endsWith('.tar.zst'))).toHaveLength(3);
  expect(await stack.fleet.newest.saveWorkspace(['d'])).toBe(2);
});

test('a fork may have the files of an earlier generation', async () => {
  const made = await fork({ generation: 1 });
  await isCopied(made.id);
  expect(await filesOf(made.id)).toEqual(['a']);
});

test('a fork of what is not there is refused, and the refusal names what is', async () => {
  const refused = await stack.request('POST', `/v1/agents/${source.id}/fork`, { generation: 9 });
  expect(refused).toMatchObject({ status: 422, body: { code: 'invalid' } });
  expect(refused.body.detail).toContain('1, 2, 3');
});

test('a fork of an agent without files has none, and starts at once', async () => {
  source = await client.createAgent('echo');
  const made = await fork();
  expect(made).toMatchObject({ forkedFrom: { agentId: source.id, generation: null }, statusReason: 'it has no work' });
  expect(await filesOf(made.id)).toEqual([]);
});

test('a fork takes work while it is copied, says so, and starts when it has its files', async () => {
  const free = hinder('CopyObject');
  const made = await fork();
  const task = await client.submit(made.id, 'x');
  await stack.advance(30);
  expect(await client.agent(made.id)).toMatchObject({
    status: 'paused',
    statusReason: expect.stringContaining(`its workspace is being copied from ${source.id} (generation 3`),
  });
  expect(await stack.request('POST', `/v1/agents/${made.id}/archive`)).toMatchObject({ status: 409 });
  expect(await stack.request('POST', `/v1/agents/${made.id}/fork`, {})).toMatchObject({ status: 409 });
  free();
  expect(await client.ended(task.id, 300)).toMatchObject({ status: 'succeeded' });
  expect(stack.fleet.newest.files).toEqual(['a', 'b', 'c']);
});

/** S3 refuses an operation of dispatch until the answer is called. */
function hinder(operation: string): () => void {
  return stack.aws.faults.add((call) =>
    call.service === 's3' && call.operation === operation
      ? { kind: 'error', code: 'InvalidRequest', status: 400 }
      : undefined,
  );
}

describe('what is being copied stays', () => {
  test('when the source saves on: it is pruned when the fork has it', async () => {
    const free = hinder('CopyObject');
    const made = await fork({ generation: 1 });
    await filesOf(source.id);
    for (const name of ['d', 'e', 'f']) await stack.fleet.newest.saveWorkspace([name]);
    expect(await numbersOf(source.id)).toEqual([6, 5, 4, 1]);
    free();
    await isCopied(made.id);
    await stack.advance(5);
    await stack.fleet.newest.saveWorkspace(['g']);
    expect(await numbersOf(source.id)).toEqual([7, 6, 5]);
    expect(await filesOf(made.id)).toEqual(['a']);
  });

  test('when the source is archived', async () => {
    const free = hinder('CopyObject');
    const made = await fork({ generation: 1 });
    await stack.call('POST', `/v1/agents/${source.id}/archive`, undefined, 202);
    await stack.advance(10);
    expect(await numbersOf(source.id)).toEqual([3, 1]);
    free();
    await isCopied(made.id);
    await stack.advance(10);
    expect(await numbersOf(source.id)).toEqual([3]);
  });

  test('when the source is terminated: its files go when the fork has them', async () => {
    const free = hinder('CopyObject');
    const made = await fork();
    await stack.call('DELETE', `/v1/agents/${source.id}`, undefined, 202);
    await stack.advance(60);
    expect(await stack.objects(`agents/default/${source.id}/`)).not.toEqual([]);
    free();
    await isCopied(made.id);
    await stack.advance(10);
    expect(await stack.objects(`agents/default/${source.id}/`)).toEqual([]);
    expect(await filesOf(made.id)).toEqual(['a', 'b', 'c']);
  });

  test('no longer than the fork lives', async () => {
    hinder('CopyObject');
    const made = await fork({ generation: 1 });
    await stack.call('DELETE', `/v1/agents/${made.id}`, undefined, 202);
    await stack.call('DELETE', `/v1/agents/${source.id}`, undefined, 202);
    await stack.advance(1200);
    for (const { id } of [made, source]) expect(await stack.objects(`agents/default/${id}/`)).toEqual([]);
  });
});

test('a pack that is larger than a part is copied in parts, also when the last answer is lost', async () => {
  const key = (await stack.objects(`agents/default/${source.id}/`)).find((name) => name.endsWith('packs/b'))!;
  const bytes = 130 * 1024 * 1024;
  await stack.damage(key, Buffer.alloc(bytes, 'b'));
  let lost = false;
  stack.crash = ({ function: name, request }) => {
    if (lost || name !== 'dispatch' || request.method !== 'POST' || !('uploadId' in request.query)) return undefined;
    lost = true;
    return 'after';
  };
  const made = await fork({ generation: 2 });
  await isCopied(made.id);
  expect(lost).toBe(true);
  expect(await stack.sizeOf(`agents/default/${made.id}/copied/pack-0.tar.zst`)).toBe(1);
  expect(await stack.sizeOf(`agents/default/${made.id}/copied/pack-1.tar.zst`)).toBe(bytes);
});

test('a fork whose source is damaged is in error and says why', async () => {
  const [pack] = (await stack.objects(`agents/default/${source.id}/`)).filter((key) => key.endsWith('packs/b'));
  await stack.damage(pack!);
  const made = await fork();
  await client.becomes(made.id, 'error');
  expect((await client.agent(made.id)).statusReason).toContain('packs/b is gone');
});

test('a pin whose fork was never made is let go of', async () => {
  stack.crash = ({ function: name, request }) =>
    name === 'api' && request.headers['x-amz-target']?.endsWith('.PutItem') ? 'before' : undefined;
  expect(await stack.request('POST', `/v1/agents/${source.id}/fork`, { generation: 1 })).toMatchObject({ status: 500 });
  stack.crash = undefined;
  await stack.call('POST', `/v1/agents/${source.id}/archive`, undefined, 202);
  await stack.advance(60);
  expect(await numbersOf(source.id)).toEqual([3, 1]);
  await stack.advance(1000);
  expect(await numbersOf(source.id)).toEqual([3]);
});

test('the same request makes the same fork, also of a source that has moved on or is gone', async () => {
  const made = await fork({}, 'one');
  await stack.call('DELETE', `/v1/agents/${source.id}`, undefined, 202);
  expect((await fork({}, 'one')).id).toBe(made.id);
  await isCopied(made.id);
  await stack.advance(1);
  expect(await typesOf(source.id, 'agent.forked')).toHaveLength(1);
  const refused = await stack.request('POST', `/v1/agents/${source.id}/fork`, {});
  expect(refused).toMatchObject({ status: 409, body: { code: 'agent_terminated' } });
});

async function numbersOf(id: string): Promise<number[]> {
  const page = await stack.call<{ items: { generation: number }[] }>('GET', `/v1/agents/${id}/generations`);
  return page.items.map(({ generation }) => generation);
}

/** A client that repeats what got no answer, with the same Idempotency-Key. */
async function insist(key: string): Promise<string> {
  for (let tries = 0; tries < 4; tries++) {
    const headers = { 'idempotency-key': key };
    const answer = await stack.request('POST', `/v1/agents/${source.id}/fork`, { generation: 2 }, headers);
    if (answer.status === 201) return answer.body.id as string;
    expect(answer.status).toBe(500);
  }
  throw new Error('The fork was never accepted.');
}

const isOfFork = ({ function: name }: FunctionCall) => name === 'api' || name === 'dispatch';

test.each([
  ['before', 5],
  ['after', 10],
] as const)(
  'a fork is made once and nothing is left, %s whichever AWS call a function dies',
  async (fate, least) => {
    let forks = 0;
    await crashEverywhere(stack, fate, isOfFork, least, async (aside) => {
      const id = await insist(`fork-${++forks}`);
      await stack.until(async () => (await aside(() => client.agent(id))).workspace !== null, 400, 'the copy');
      expect(await aside(() => typesOf(id, 'agent.workspace_copied'))).toHaveLength(1);
    });
    await stack.advance(1000);
    await stack.call('DELETE', `/v1/agents/${source.id}`, undefined, 202);
    await stack.advance(120);
    expect(await stack.objects(`agents/default/${source.id}/`)).toEqual([]);
  },
  120_000,
);
