import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../agent/clock.ts';
import { makeWorkspace } from '../../agent/workspace/workspace.ts';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;
let agentId: string;
let root: string;

beforeEach(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  await client.putTemplate('files', { idleTimeoutSeconds: 600 });
  const agent = await client.createAgent('files', { start: true });
  agentId = agent.id;
  await client.becomes(agentId, 'running');
  root = mkdtempSync(join(tmpdir(), 'rouse-files-'));
});

afterEach(async () => {
  rmSync(root, { recursive: true });
  await stack.close();
});

/** Saves the folder as the real shim does. */
async function save(): Promise<void> {
  const shim = stack.fleet.newest;
  const workspace = makeWorkspace({
    root,
    writePrefix: `agents/default/${agentId}/runtimes/${shim.runtimeId}/`,
    owner: null,
    clock: systemClock,
    openStorage: async () => ({
      get: () => Promise.reject(new Error('Nothing is read.')),
      put: async (key, body) => stack.damage(key, await buffer(Readable.from(body))),
    }),
    commit: (report) => shim.post('workspace', report),
  });
  await workspace.save();
}

const files = (query = '') => stack.request('GET', `/v1/agents/${agentId}/generations/1/files${query}`);
const file = (path: string) =>
  stack.aws.request({
    method: 'GET',
    path: `/v1/agents/${agentId}/generations/1/files?path=${encodeURIComponent(path)}`,
    headers: { authorization: `Bearer ${stack.key}` },
  });

describe('the files of a generation', () => {
  test('are listed by path, page by page', async () => {
    mkdirSync(join(root, 'b'));
    writeFileSync(join(root, 'b/two.txt'), 'two');
    writeFileSync(join(root, 'a.sh'), '#!', { mode: 0o755 });
    symlinkSync('a.sh', join(root, 'link'));
    await save();
    const first = await files('?limit=2');
    expect(first.body.items).toMatchObject([
      { path: 'a.sh', type: 'file', bytes: 2, mode: '755', sha256: expect.any(String) },
      { path: 'b/two.txt', type: 'file', bytes: 3, modifiedAt: expect.stringMatching(/Z$/) },
    ]);
    const second = await files(`?limit=2&cursor=${first.body.nextCursor}`);
    expect(second.body).toEqual({ items: [{ path: 'link', type: 'symlink', target: 'a.sh' }], nextCursor: null });
  });

  test('are read as they were saved, whatever they hold and are called', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 256));
    writeFileSync(join(root, 'first'), 'x');
    writeFileSync(join(root, 'ünï 🙂.bin'), content);
    await save();
    const answer = await file('ünï 🙂.bin');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(Buffer.from(answer.body).equals(content)).toBe(true);
  });

  test('that are too large are refused by their size', async () => {
    writeFileSync(join(root, 'large'), Buffer.alloc(4 * 1024 * 1024 + 1));
    await save();
    const answer = await files('?path=large');
    expect(answer).toMatchObject({ status: 413, body: { code: 'too_large' } });
    expect(answer.body.detail).toContain('4194305 bytes; at most 4194304');
  });

  test('that are not there, or not any more, are not found', async () => {
    writeFileSync(join(root, 'here'), 'x');
    symlinkSync('here', join(root, 'link'));
    await save();
    for (const query of ['?path=nowhere', '?path=link', '?path=../here'])
      expect(await files(query)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const other = await stack.request('GET', `/v1/agents/${agentId}/generations/9/files`);
    expect(other).toMatchObject({ status: 404, body: { detail: 'There is no generation "9".' } });
    const [pack] = (await stack.objects(`agents/default/${agentId}/`)).filter((key) => key.endsWith('.zst'));
    await stack.damage(pack!);
    expect((await files('?path=here')).body.detail).toContain('damaged');
  });
});
