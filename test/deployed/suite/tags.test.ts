import { ListTagsOfResourceCommand } from '@aws-sdk/client-dynamodb';
import { DescribeTaskDefinitionCommand, DescribeTasksCommand, ListTagsForResourceCommand } from '@aws-sdk/client-ecs';
import { GetBucketTaggingCommand } from '@aws-sdk/client-s3';
import { ListQueuesCommand, ListQueueTagsCommand } from '@aws-sdk/client-sqs';
import { ListTagsForResourceCommand as ListTagsOfParameterCommand } from '@aws-sdk/client-ssm';
import { expect, test } from 'vitest';
import { makeClients } from '../clients.ts';
import { api, target } from './setup.ts';

const { dynamodb, ecs, s3, sqs, ssm } = makeClients(target);

const stack = { 'rouse:stack': target.prefix };

const ofEcs = (tags: { key?: string; value?: string }[] = []) =>
  Object.fromEntries(tags.map(({ key, value }) => [key, value]));
const ofOthers = (tags: { Key?: string; Value?: string }[] = []) =>
  Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]));

test('a container and what it is made with say whose they are', async () => {
  const agent = await api.shell('cat');
  await api.run(agent, 'x');
  const { id, taskArn } = (await api.agentNow(agent)).runtime!;
  const owner = { ...stack, 'rouse:tenant': 'default' };

  const { tasks } = await ecs.send(
    new DescribeTasksCommand({ cluster: target.outputs.Cluster, tasks: [taskArn!], include: ['TAGS'] }),
  );
  const template = { 'rouse:template': agent.template };
  expect(ofEcs(tasks?.[0]?.tags)).toMatchObject({ ...owner, ...template, 'rouse:agent': agent.id });
  const { tags } = await ecs.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: tasks?.[0]?.taskDefinitionArn, include: ['TAGS'] }),
  );
  expect(ofEcs(tags)).toMatchObject({ ...owner, ...template });

  const bells = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: `${target.prefix}-bell-${id}` }));
  const bell = await sqs.send(new ListQueueTagsCommand({ QueueUrl: bells.QueueUrls?.[0] }));
  expect(bell.Tags).toMatchObject({ ...owner, 'rouse:agent': agent.id });
});

test.each(['admin-key', 'token-key'])('the parameter %s says which deployment it is of', async (name) => {
  const { TagList } = await ssm.send(
    new ListTagsOfParameterCommand({ ResourceType: 'Parameter', ResourceId: `/${target.prefix}/${name}` }),
  );
  expect(ofOthers(TagList)).toMatchObject(stack);
});

test('what the template describes says which deployment it is of', async () => {
  const { Bucket, Cluster, LogTable, StateTable } = target.outputs;
  const arn = (service: string, rest: string) => `arn:aws:${service}:${target.region}:${target.accountId}:${rest}`;
  for (const table of [StateTable, LogTable]) {
    const { Tags } = await dynamodb.send(
      new ListTagsOfResourceCommand({ ResourceArn: arn('dynamodb', `table/${table}`) }),
    );
    expect(ofOthers(Tags)).toMatchObject(stack);
  }
  const { TagSet } = await s3.send(new GetBucketTaggingCommand({ Bucket }));
  expect(ofOthers(TagSet)).toMatchObject(stack);
  const { tags } = await ecs.send(new ListTagsForResourceCommand({ resourceArn: arn('ecs', `cluster/${Cluster}`) }));
  expect(ofEcs(tags)).toMatchObject(stack);
});
