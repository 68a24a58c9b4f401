import { describe, expect, test } from 'vitest';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

freshStack();

async function runningAgent(workspace: Record<string, unknown>): Promise<string> {
  await client.putTemplate('files', { idleTimeoutSeconds: 600, workspace });
  const agent = await client.createAgent('files', { start: true });
  await client.becomes(agent.id, 'running');
  return agent.id;
}

const keysOf = (agentId: string) => stack.objects(`agents/default/${agentId}/`);

const storedKeys = async (agentId: string) =>
  (await keysOf(agentId)).map((key) => key.replace(/^.*(generations|packs)\//, '')).sort();

/** Damages what is stored under a key that ends so: with `body` it has another content, without it is gone. */
const damage = async (agentId: string, ending: string, body?: string) =>
  stack.damage((await keysOf(agentId)).find((key) => key.endsWith(ending))!, body);

async function pause(agentId: string): Promise<void> {
  await stack.call('POST', `/v1/agents/${agentId}/pause`, {}, 202);
  await client.becomes(agentId, 'paused');
}

async function wake(agentId: string): Promise<void> {
  await stack.call('POST', `/v1/agents/${agentId}/resume`, undefined, 202);
  await client.becomes(agentId, 'running');
}

const rollBack = (agentId: string, generation: number) =>
  stack.request('POST', `/v1/agents/${agentId}/rollback`, { generation });

const numbersOf = async (agentId: string) => {
  const page = await stack.call<{ items: { generation: number; current: boolean }[] }>(
    'GET',
    `/v1/agents/${agentId}/generations`,
  );
  return page.items.map(({ generation }) => generation);
};

test('old generations go, and packs with them that no kept one is made of', async () => {
  const agentId = await runningAgent({ keepGenerations: 2 });
  const shim = stack.fleet.newest;
  await shim.saveWorkspace(['a']);
  await shim.saveWorkspace(['a', 'b']);
  await shim.saveWorkspace(['a', 'c']);
  expect(await numbersOf(agentId)).toEqual([3, 2]);
  expect(await storedKeys(agentId)).toEqual(['2/manifest.json', '3/manifest.json', 'a', 'b', 'c']);
  await shim.saveWorkspace(['d']);
  expect(await numbersOf(agentId)).toEqual([4, 3]);
  expect(await storedKeys(agentId)).toEqual(['3/manifest.json', '4/manifest.json', 'a', 'c', 'd']);
});

test('a save that names what is not there is refused, and the last good generation stays', async () => {
  const agentId = await runningAgent({});
  const shim = stack.fleet.newest;
  await shim.saveWorkspace(['a']);
  const refused = await shim
    .post('workspace', {
      generation: 2,
      parent: 1,
      manifestKey: `agents/default/${agentId}/runtimes/${shim.runtimeId}/generations/2/manifest.json`,
      manifestSha256: '0'.repeat(64),
      bytes: 1,
      files: 1,
    })
    .catch((error: Error) => error.message);
  expect(refused).toContain('workspace_unverified');
  expect(await numbersOf(agentId)).toEqual([1]);
});

test('two saves of the same generation do not both count', async () => {
  const agentId = await runningAgent({});
  const shim = stack.fleet.newest;
  await shim.saveWorkspace(['a']);
  const again = await shim
    .post('workspace', {
      generation: 1,
      parent: null,
      manifestKey: `agents/default/${agentId}/runtimes/${shim.runtimeId}/generations/x/manifest.json`,
      manifestSha256: '1'.repeat(64),
      bytes: 1,
      files: 1,
    })
    .catch((error: Error) => error.message);
  expect(again).toContain('generation_conflict');
});

test("a terminated agent's files are all removed", async () => {
  const agentId = await runningAgent({});
  await stack.fleet.newest.saveWorkspace(['a']);
  await stack.call('DELETE', `/v1/agents/${agentId}`, undefined, 202);
  await client.becomes(agentId, 'terminated');
  await stack.advance(120);
  expect(await storedKeys(agentId)).toEqual([]);
});

describe('a rollback', () => {
  test('points back without deleting history, and the next save gets a new number', async () => {
    const agentId = await runningAgent({});
    for (const name of ['a', 'b', 'c']) await stack.fleet.newest.saveWorkspace([name]);
    await pause(agentId);
    expect(await rollBack(agentId, 1)).toMatchObject({ status: 200, body: { workspace: { generation: 1 } } });
    expect(await numbersOf(agentId)).toEqual([3, 2, 1]);
    await wake(agentId);
    expect(stack.fleet.newest.files).toEqual(['a']);
    expect(await stack.fleet.newest.saveWorkspace(['a', 'd'])).toBe(4);
    expect(await numbersOf(agentId)).toEqual([4, 3, 2, 1]);
    expect(await client.types(agentId)).toContain('agent.workspace_rolled_back');
  });

  test('is only possible without a runtime, and the refusal says so', async () => {
    const agentId = await runningAgent({});
    await stack.fleet.newest.saveWorkspace(['a']);
    const refused = await rollBack(agentId, 1);
    expect(refused).toMatchObject({ status: 409, body: { code: 'illegal_transition' } });
    expect(refused.body.detail).toContain('paused, archived, error');
  });

  test('goes only to what is there, and the refusal names it', async () => {
    const agentId = await runningAgent({ keepGenerations: 2 });
    for (const name of ['a', 'b', 'c']) await stack.fleet.newest.saveWorkspace([name]);
    await pause(agentId);
    for (const number of [1, 9]) {
      const refused = await rollBack(agentId, number);
      expect(refused).toMatchObject({ status: 422, body: { code: 'invalid' } });
      expect(refused.body.detail).toContain('2, 3');
    }
  });

  test('protects the generation that it points to, however old it gets', async () => {
    const agentId = await runningAgent({ keepGenerations: 2 });
    for (const name of ['a', 'b']) await stack.fleet.newest.saveWorkspace([name]);
    await pause(agentId);
    await rollBack(agentId, 1);
    await wake(agentId);
    // The save that follows moves the pointer: from then on the old one counts like any other.
    await stack.fleet.newest.saveWorkspace(['c']);
    expect(await numbersOf(agentId)).toEqual([3, 2]);
    expect(await storedKeys(agentId)).toEqual(['2/manifest.json', '3/manifest.json', 'b', 'c']);
  });

  test('that is repeated, or whose answer is lost, happened once', async () => {
    const agentId = await runningAgent({});
    for (const name of ['a', 'b']) await stack.fleet.newest.saveWorkspace([name]);
    await pause(agentId);
    stack.crash = ({ function: name, request }) =>
      name === 'api' && request.headers['x-amz-target']?.endsWith('.UpdateItem') ? 'after' : undefined;
    expect(await rollBack(agentId, 1)).toMatchObject({ status: 500 });
    stack.crash = undefined;
    for (let i = 0; i < 2; i++) expect(await rollBack(agentId, 1)).toMatchObject({ status: 200 });
    await stack.advance(1);
    const events = (await client.types(agentId)).filter((type) => type === 'agent.workspace_rolled_back');
    expect(events).toHaveLength(1);
  });
});

describe('a damaged generation', () => {
  /** An agent with the generations 1 (a), 2 (a, b) and 3 (a, b, c), that pauses. */
  async function savedAgent(): Promise<string> {
    const agentId = await runningAgent({});
    await stack.fleet.newest.saveWorkspace(['a']);
    await stack.fleet.newest.saveWorkspace(['a', 'b']);
    await stack.fleet.newest.saveWorkspace(['a', 'b', 'c']);
    await pause(agentId);
    return agentId;
  }

  test.each([
    ['whose pack is gone', 'packs/c', undefined],
    ['whose pack has another content', 'packs/c', 'x'],
    ['whose manifest is gone', '3/manifest.json', undefined],
    ['whose manifest is another one', '3/manifest.json', '{}'],
  ])('%s is replaced by the last good one, which says so', async (_title, ending, body) => {
    const agentId = await savedAgent();
    await damage(agentId, ending, body);
    await wake(agentId);
    await stack.advance(1);
    expect(stack.fleet.newest.files).toEqual(['a', 'b']);
    expect(await client.agent(agentId)).toMatchObject({
      status: 'running',
      statusReason: 'generation 3 of its workspace is damaged; it went on from 2',
      workspace: { generation: 2 },
    });
    expect((await client.event(agentId, 'agent.workspace_damaged')).data).toMatchObject({
      generation: 3,
      restored: { generation: 2 },
      lost: { files: 3 },
    });
    const page = await stack.call<{ items: object[] }>('GET', `/v1/agents/${agentId}/generations`);
    expect(page.items).toMatchObject([
      { generation: 3, current: false, damaged: { reason: expect.any(String) } },
      { generation: 2, current: true, damaged: null },
      { generation: 1, damaged: null },
    ]);
    expect(await stack.fleet.newest.saveWorkspace(['a', 'b', 'd'])).toBe(4);
  });

  test('leads back as far as it must, and to an error when none is good', async () => {
    const agentId = await savedAgent();
    await damage(agentId, 'packs/b');
    await wake(agentId);
    expect(stack.fleet.newest.files).toEqual(['a']);
    await pause(agentId);
    await damage(agentId, 'packs/a');
    await stack.call('POST', `/v1/agents/${agentId}/resume`, undefined, 202);
    await client.becomes(agentId, 'error');
    const { statusReason } = await client.agent(agentId);
    expect(statusReason).toContain('packs/a is not there');
  });

  test('is believed to be missing only when it is', async () => {
    const agentId = await runningAgent({});
    const shim = stack.fleet.newest;
    await shim.saveWorkspace(['a']);
    await shim.saveWorkspace(['b']);
    const refused = await shim
      .post('workspace/damaged', { generation: 2, missing: true, detail: 'S3 said 403' })
      .catch((error: Error) => error.message);
    expect(refused).toContain('is complete in the bucket');
    expect(await client.agent(agentId)).toMatchObject({ workspace: { generation: 2 } });
  });

  test('that is reported twice is one, and can not be rolled back to', async () => {
    const agentId = await savedAgent();
    await wake(agentId);
    const report = { generation: 3, missing: false, detail: 'it has another hash' };
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push(await stack.fleet.newest.post('workspace/damaged', report));
    expect(answers[1]).toEqual(answers[0]);
    await stack.advance(1);
    expect((await client.types(agentId)).filter((type) => type === 'agent.workspace_damaged')).toHaveLength(1);
    await pause(agentId);
    const refused = await rollBack(agentId, 3);
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid' } });
    expect(refused.body.detail).toContain('damaged; allowed are 1, 2');
  });
});

test('a save whose files are not as many as was said is refused', async () => {
  const agentId = await runningAgent({});
  const shim = stack.fleet.newest;
  const meanwhile: string[] = [];
  const post = shim.post.bind(shim);
  shim.post = async (route: string, body: unknown) => {
    const changed = route === 'workspace' ? { ...(body as object), files: 7 } : body;
    return post(route, changed).catch((error: Error) => {
      meanwhile.push(error.message);
      throw error;
    }) as never;
  };
  await shim.saveWorkspace(['a']).catch(() => {});
  expect(meanwhile[0]).toContain('its manifest has the number of files 1, and 7 was said');
  expect(await numbersOf(agentId)).toEqual([]);
});
