import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;

beforeEach(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
});

afterEach(() => stack.close());

async function runningAgent(workspace: Record<string, unknown>): Promise<string> {
  await client.putTemplate('files', { idleTimeoutSeconds: 600, workspace });
  const agent = await client.createAgent('files', { start: true });
  await client.becomes(agent.id, 'running');
  return agent.id;
}

async function storedKeys(agentId: string): Promise<string[]> {
  const s3 = new S3Client({
    region: stack.aws.region,
    credentials: localAdministrator,
    requestHandler: stack.aws.requestHandler(),
    forcePathStyle: true,
  });
  const Bucket = stack.aws.deployment!.outputs.Bucket!;
  const answer = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: `agents/default/${agentId}/` }));
  return (answer.Contents ?? []).map(({ Key }) => Key!.replace(/^.*(generations|packs)\//, '')).sort();
}

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
