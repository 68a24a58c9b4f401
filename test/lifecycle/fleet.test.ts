import { DescribeTasksCommand, ECSClient, RunTaskCommand } from '@aws-sdk/client-ecs';
import { ListBucketsCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { newId } from '../../lib/domain/id.ts';
import { localAdministrator } from '../../local/credentials.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

/** One look every five minutes, a sweep in between, and a little. */
const lookSeconds = 370;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

const options = () => ({
  region: stack.aws.region,
  credentials: localAdministrator,
  requestHandler: stack.aws.requestHandler(),
});

async function eventsOf(type: string): Promise<{ data: Record<string, unknown> }[]> {
  // The feed of all stays a little behind.
  await stack.advance(5);
  return (await stack.call<{ items: { data: Record<string, unknown> }[] }>('GET', `/v1/events?type=${type}&limit=200`))
    .items;
}

/** What ECS needs to start a task of the same definition as an agent's, in the same cluster. */
async function likeAnAgent() {
  const agent = await client.createAgent('echo', { start: true });
  await client.becomes(agent.id, 'running');
  const own = (await client.agent(agent.id)).runtime?.taskArn ?? '';
  const ecs = new ECSClient(options());
  const cluster = own.replace(':task/', ':cluster/').replace(/\/[^/]+$/, '');
  const described = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [own] }));
  stack.fleet.onStart = () => false;
  const like = {
    cluster,
    taskDefinition: described.tasks?.[0]?.taskDefinitionArn,
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
    networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
  };
  return { ecs, cluster, like };
}

/** A task that nobody of ours has started. */
async function startStranger(startedBy: string): Promise<{ taskArn: string; status: () => Promise<string> }> {
  const { ecs, cluster, like } = await likeAnAgent();
  const { tasks } = await ecs.send(new RunTaskCommand({ ...like, startedBy }));
  const taskArn = tasks?.[0]?.taskArn ?? '';
  const status = async () =>
    (await ecs.send(new DescribeTasksCommand({ cluster, tasks: [taskArn] }))).tasks?.[0]?.lastStatus ?? 'gone';
  return { taskArn, status };
}

test('an ECS task that belongs to no runtime is marked, and stopped by the next look', async () => {
  const { taskArn, status } = await startStranger('somebody');
  for (let looks = 0; (await eventsOf('fleet.orphans_marked')).length === 0 && looks < 20; looks++)
    await stack.advance(60);
  expect(await status()).toBe('RUNNING');
  await stack.advance(lookSeconds);
  expect(await status()).toBe('STOPPED');
  expect(await eventsOf('fleet.orphans_stopped')).toMatchObject([{ data: { count: 1, taskArns: [taskArn] } }]);
});

test('a task of a runtime that its agent does not have is nobody’s either', async () => {
  const agent = await client.createAgent('echo');
  const { status } = await startStranger(
    `default/${agent.id}/${newId('runtime', 0, (n) => new Uint8Array(n), agent.id)}`,
  );
  await stack.advance(3 * lookSeconds);
  expect(await status()).toBe('STOPPED');
});

test('a look at more than a thousand ECS tasks has time enough, and the next one goes on', async () => {
  const { ecs, like } = await likeAnAgent();
  for (let i = 0; i < 110; i++) {
    const { failures } = await ecs.send(new RunTaskCommand({ ...like, count: 10 }));
    expect(failures).toEqual([]);
    await stack.advance(1);
  }
  // Calls that are made beside each other take their time at once.
  let rounds = 0;
  let round: Promise<void> | undefined;
  stack.meanwhile = ({ function: name }) => {
    if (name !== 'dispatch') return undefined;
    round ??= new Promise((resolve) =>
      setImmediate(() => {
        rounds += 1;
        round = undefined;
        resolve();
      }),
    );
    return round;
  };
  const stopped = async () => (await eventsOf('fleet.orphans_stopped')).map(({ data }) => data.count);
  let most = 0;
  for (let looks = 0; (await stopped()).length < 3 && looks < 20; looks++) {
    rounds = 0;
    await stack.advance(lookSeconds);
    most = Math.max(most, rounds);
  }
  expect((await stopped()).slice(-2)).toEqual([100, 100]);
  // A dispatch has ten seconds; a call takes some milliseconds, now and then tens of them.
  expect(most).toBeGreaterThan(50);
  expect(most * 0.025).toBeLessThan(8);
});

test('a look-up that fails concludes nothing', async () => {
  const { status } = await startStranger('somebody');
  const mend = stack.aws.faults.add(({ operation, input }) =>
    operation === 'ListTasks' && input.startedBy === undefined
      ? { kind: 'error', code: 'ClusterNotFoundException' }
      : undefined,
  );
  await stack.advance(3 * lookSeconds);
  expect(await status()).toBe('RUNNING');
  expect(await eventsOf('fleet.orphans_marked')).toEqual([]);
  mend();
  await stack.advance(4 * lookSeconds);
  expect(await status()).toBe('STOPPED');
});

test('runtimes of agents are left alone, whatever they do', async () => {
  const agents = await Promise.all([1, 2, 3].map(() => client.createAgent('echo', { start: true })));
  stack.fleet.program = () => new Promise(() => {});
  for (const { id } of agents) await client.submit(id, 'for ever', { timeoutSeconds: 86_400 });
  await stack.advance(4 * lookSeconds);
  expect(stack.fleet.living).toHaveLength(3);
  expect(await eventsOf('fleet.orphans_marked')).toEqual([]);
});

test('bells of runtimes that are dead, or never were, are removed; those of living ones stay', async () => {
  const agent = await client.createAgent('echo', { start: true });
  await client.becomes(agent.id, 'running');
  stack.fleet.program = () => new Promise(() => {});
  await client.submit(agent.id, 'for ever', { timeoutSeconds: 86_400 });
  const stray = newId('runtime', stack.clock.now(), (length) => new Uint8Array(length), agent.id);
  await new SQSClient(options()).send(new CreateQueueCommand({ QueueName: `rouse-bell-${stray}` }));
  expect(await stack.bells()).toHaveLength(2);
  await stack.advance(2 * lookSeconds);
  expect(await stack.bells()).toHaveLength(1);
  expect(await eventsOf('fleet.bells_removed')).toMatchObject([{ data: { count: 1, runtimeIds: [stray] } }]);
  expect((await stack.bells())[0]).toContain(stack.fleet.newest.runtimeId);
});

test('a task of which every message got lost is found, and done', async () => {
  const agent = await client.createAgent('echo');
  const mend = stack.aws.faults.addDelivery(({ source }) => (source === 'scheduler' ? undefined : { copies: 0 }));
  const task = await client.submit(agent.id, 'hello');
  await stack.advance(60);
  mend();
  expect((await client.agent(agent.id)).status).toBe('paused');
  await stack.advance(2 * lookSeconds);
  expect(await client.task(task.id)).toMatchObject({ status: 'succeeded' });
  expect(await eventsOf('fleet.work_found')).toMatchObject([{ data: { count: 1, ids: [agent.id] } }]);
});

test('what is written for an agent after its end is removed by a last look', async () => {
  const agent = await client.createAgent('echo');
  await stack.call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await stack.advance(60);
  const s3 = new S3Client({ ...options(), forcePathStyle: true });
  const Bucket = (await s3.send(new ListBucketsCommand({}))).Buckets?.[0]?.Name;
  const Prefix = `agents/default/${agent.id}/`;
  await s3.send(new PutObjectCommand({ Bucket, Key: `${Prefix}runtimes/late/pack`, Body: 'x' }));
  const stored = async () => (await s3.send(new ListObjectsV2Command({ Bucket, Prefix }))).KeyCount;
  expect(await stored()).toBe(1);
  await stack.advance(70 * 60);
  expect(await stored()).toBe(0);
});

test('files that a save left and no generation is made of are removed after a day, and nothing else', async () => {
  const agent = await client.createAgent('echo', { start: true, overrides: { idleTimeoutSeconds: 86_400 } });
  await client.becomes(agent.id, 'running');
  const before = stack.fleet.newest.runtimeId;
  await stack.fleet.newest.saveWorkspace(['kept']);
  const put = (runtimeId: string, name: string) =>
    stack.damage(`agents/default/${agent.id}/runtimes/${runtimeId}/packs/${name}`, name);
  await put(before, 'cut-off');
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, {}, 202);
  await client.becomes(agent.id, 'paused');
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  // The runtime that the agent has may still commit what it has written, however long that takes.
  await put(stack.fleet.newest.runtimeId, 'under-way');
  stack.fleet.newest.mute = true;
  const packs = async () =>
    (await stack.objects(`agents/default/${agent.id}/`)).flatMap((key) => key.split('/packs/')[1] ?? []).sort();
  await stack.advance(2 * lookSeconds);
  expect(await packs()).toEqual(['cut-off', 'kept', 'under-way']);
  // A day without sweeps, which look every minute.
  const mend = stack.aws.faults.addDelivery(() => ({ copies: 0 }));
  await stack.advance(25 * 3600);
  mend();
  await stack.advance(120);
  expect(await packs()).toEqual(['kept', 'under-way']);
  expect(await stack.objects(`agents/default/${agent.id}/runtimes/${before}/generations`)).toHaveLength(1);
  expect(await eventsOf('fleet.objects_removed')).toMatchObject([
    { data: { count: 1, keys: [expect.stringContaining('cut-off')] } },
  ]);
});
