import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import {
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeClustersCommand,
  ListTaskDefinitionFamiliesCommand,
  ListTaskDefinitionsCommand,
} from '@aws-sdk/client-ecs';
import { DeleteObjectsCommand, HeadBucketCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { DeleteQueueCommand, ListQueuesCommand } from '@aws-sdk/client-sqs';
import { DeleteParametersCommand, GetParametersCommand } from '@aws-sdk/client-ssm';
import { ApiClient } from '../e2e/support/client.ts';
import type { Clients } from './clients.ts';
import type { Target } from './target.ts';

/** Of one DeleteTaskDefinitions (ECS API reference). */
const maxDeleted = 10;
/** SQS lists a deleted queue for up to a minute (SQS API reference, DeleteQueue). */
const removalLimitMs = 120_000;

/** What was made at run time and is no part of the stack: removed before it, so that nothing is left in the account. */
export async function removeLeftovers(target: Target, clients: Clients): Promise<void> {
  await terminateAgents(target);
  await emptyBucket(target, clients);
  await removeTaskDefinitions(target, clients);
  await removeBells(target, clients);
  const Names = ['admin-key', 'token-key'].map((name) => `/${target.prefix}/${name}`);
  await clients.ssm.send(new DeleteParametersCommand({ Names }));
}

async function terminateAgents(target: Target): Promise<void> {
  const api = new ApiClient(target, target.patienceMs);
  for (;;) {
    const { items } = await api.call<{ items: { id: string; status: string }[] }>('GET', '/v1/agents?limit=100');
    const living = items.filter(({ status }) => status !== 'terminated');
    for (const { id } of living) await api.call('DELETE', `/v1/agents/${id}`);
    for (const agent of living) await api.untilStatus(agent, 'terminated');
    if (living.length === 0) return;
  }
}

async function emptyBucket({ outputs: { Bucket } }: Target, { s3 }: Clients): Promise<void> {
  for (;;) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }));
    if (Contents.length === 0) return;
    await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } }));
  }
}

async function removeTaskDefinitions({ prefix }: Target, { ecs }: Clients): Promise<void> {
  const { families = [] } = await ecs.send(new ListTaskDefinitionFamiliesCommand({ familyPrefix: `${prefix}-` }));
  for (const familyPrefix of families) {
    const { taskDefinitionArns = [] } = await ecs.send(new ListTaskDefinitionsCommand({ familyPrefix }));
    for (const taskDefinition of taskDefinitionArns)
      await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition }));
    for (let start = 0; start < taskDefinitionArns.length; start += maxDeleted) {
      const taskDefinitions = taskDefinitionArns.slice(start, start + maxDeleted);
      await ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions }));
    }
  }
}

async function removeBells({ prefix }: Target, { sqs }: Clients): Promise<void> {
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: `${prefix}-bell-` }));
  for (const QueueUrl of QueueUrls) await sqs.send(new DeleteQueueCommand({ QueueUrl }));
}

/** Asks for what the stack had and what agents made, after its end. @throws Error that names what stays there */
export async function checkRemoved(target: Target, clients: Clients, stackName: string): Promise<void> {
  const limitMs = Date.now() + removalLimitMs;
  for (;;) {
    const left = await leftOf(target, clients, stackName);
    if (left.length === 0) return;
    if (Date.now() > limitMs) throw new Error(`The stack is destroyed, but there still is: ${left.join(', ')}.`);
    await sleep(5000);
  }
}

async function leftOf({ outputs, prefix }: Target, clients: Clients, stackName: string): Promise<string[]> {
  const { dynamodb, ecs, s3, sqs, ssm } = clients;
  const isThere = (call: Promise<unknown>) =>
    call.then(
      () => true,
      (error: Error) => {
        if (/NotFound|NoSuchBucket/.test(error.name)) return false;
        throw error;
      },
    );
  const left: string[] = [];
  for (const TableName of [outputs.StateTable, outputs.LogTable])
    if (await isThere(dynamodb.send(new DescribeTableCommand({ TableName })))) left.push(`table ${TableName}`);
  if (await isThere(s3.send(new HeadBucketCommand({ Bucket: outputs.Bucket })))) left.push(`bucket ${outputs.Bucket}`);
  const { clusters = [] } = await ecs.send(new DescribeClustersCommand({ clusters: [outputs.Cluster!] }));
  if (clusters.some(({ status }) => status !== 'INACTIVE')) left.push(`cluster ${outputs.Cluster}`);
  const families = new ListTaskDefinitionFamiliesCommand({ familyPrefix: `${prefix}-`, status: 'ACTIVE' });
  left.push(...((await ecs.send(families)).families ?? []).map((family) => `task definition ${family}`));
  for (const QueueNamePrefix of [stackName, prefix]) {
    const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix }));
    left.push(...QueueUrls.map((url) => `queue ${url}`));
  }
  const Names = [outputs.AdminKeyParameter!, `/${prefix}/token-key`];
  const { Parameters = [] } = await ssm.send(new GetParametersCommand({ Names }));
  left.push(...Parameters.map(({ Name }) => `parameter ${Name}`));
  return left;
}
