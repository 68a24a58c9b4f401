import { ListTagsOfResourceCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ListTagsForResourceCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { GetBucketTaggingCommand } from '@aws-sdk/client-s3';
import { ListQueuesCommand, ListQueueTagsCommand } from '@aws-sdk/client-sqs';
import { ListTagsForResourceCommand as ListTagsOfParameterCommand } from '@aws-sdk/client-ssm';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource } from '../../e2e/support/client.ts';
import { makeClients } from '../clients.ts';
import { api, target } from './setup.ts';

const { dynamodb, ecs, s3, sqs, ssm } = makeClients(target);

const stack = { 'rouse:stack': target.prefix };

const ofEcs = (tags: { key?: string; value?: string }[] = []) =>
  Object.fromEntries(tags.map(({ key, value }) => [key, value]));
const ofOthers = (tags: { Key?: string; Value?: string }[] = []) =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));

const owner = { ...stack, 'rouse:tenant': 'default' };

describe('what is made for an agent says whose it is', () => {
  let agent: AgentResource;
  let task: Task;
  beforeAll(async () => {
    agent = await api.shell('cat');
    await api.run(agent, 'x');
    const { taskArn } = (await api.agentNow(agent)).runtime!;
    const of = { cluster: target.outputs.Cluster, tasks: [taskArn!], include: ['TAGS' as const] };
    task = (await ecs.send(new DescribeTasksCommand(of))).tasks![0]!;
  });

  test('its container', () => {
    const tags = { ...owner, 'rouse:template': agent.template, 'rouse:agent': agent.id };
    expect(ofEcs(task.tags)).toMatchObject(tags);
  });

  test('the task definition of its template', async () => {
    const { taskDefinitionArn: taskDefinition } = task;
    const { tags } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition, include: ['TAGS'] }));
    expect(ofEcs(tags)).toMatchObject({ ...owner, 'rouse:template': agent.template });
  });

  test('its bell', async () => {
    const runtimeId = task.startedBy!.split('/').at(-1);
    const QueueNamePrefix = `${target.prefix}-bell-${runtimeId}`;
    const { QueueUrls } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix }));
    const { Tags } = await sqs.send(new ListQueueTagsCommand({ QueueUrl: QueueUrls?.[0] }));
    expect(Tags).toMatchObject({ ...owner, 'rouse:agent': agent.id });
  });
});

test.each(['admin-key', 'token-key'])('the parameter %s says which deployment it is of', async (name) => {
  const { TagList } = await ssm.send(
    new ListTagsOfParameterCommand({ ResourceType: 'Parameter', ResourceId: `/${target.prefix}/${name}` }),
  );
  expect(ofOthers(TagList)).toMatchObject(stack);
});

test('the tables and the cluster say which deployment they are of', async () => {
  const { Cluster, LogTable, StateTable } = target.outputs;
  const arn = (service: string, rest: string) => `arn:aws:${service}:${target.region}:${target.accountId}:${rest}`;
  for (const table of [StateTable, LogTable]) {
    const ResourceArn = arn('dynamodb', `table/${table}`);
    const { Tags } = await dynamodb.send(new ListTagsOfResourceCommand({ ResourceArn }));
    expect(ofOthers(Tags)).toMatchObject(stack);
  }
  const { tags } = await ecs.send(new ListTagsForResourceCommand({ resourceArn: arn('ecs', `cluster/${Cluster}`) }));
  expect(ofEcs(tags)).toMatchObject(stack);
});

test('the bucket says which deployment it is of', async () => {
  const { TagSet } = await s3.send(new GetBucketTaggingCommand({ Bucket: target.outputs.Bucket }));
  expect(ofOthers(TagSet)).toMatchObject(stack);
});
