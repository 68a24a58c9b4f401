import { DynamoDBClient, GetItemCommand, QueryCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { ECSClient, RegisterTaskDefinitionCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { beforeEach, describe, expect, it } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import type { EmbeddedAws } from '../../local/embedded-aws.ts';
import { startEmbeddedAws } from '../support/embedded.ts';

const arn = (service: string, rest: string) => `arn:aws:${service}:us-east-1:000000000000:${rest}`;
const roleArn = (name: string) => `arn:aws:iam::000000000000:role/${name}`;
const trust = (Principal: object, more: object = {}) => ({
  Statement: [{ Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Principal, ...more }],
});

let aws: EmbeddedAws;

beforeEach(async () => {
  aws = await startEmbeddedAws();
  aws.iam.putRole(roleArn('worker'), trust({ Service: 'lambda.amazonaws.com' }));
});

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

function as<T>(
  Client: new (options: never) => T,
  credentials: Credentials = aws.roleCredentials(roleArn('worker'), 'w'),
): T {
  const systemClockOffset = aws.clock.now() - Date.now();
  const requestHandler = aws.requestHandler();
  return new Client({ region: 'us-east-1', credentials, requestHandler, maxAttempts: 1, systemClockOffset } as never);
}

function permit(Action: string | string[], Resource: string | string[], Condition?: object): void {
  const statement = { Effect: 'Allow', Action, Resource, ...(Condition && { Condition }) };
  aws.iam.attachPolicy('worker', { Statement: [statement] });
}

describe('a call of a role session', () => {
  it('is refused in the words of AWS', async () => {
    const call = as(DynamoDBClient).send(new GetItemCommand({ TableName: 't', Key: { pk: { S: 'x' } } }));
    await expect(call).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: `User: arn:aws:sts::000000000000:assumed-role/worker/w is not authorized to perform: dynamodb:GetItem on resource: ${arn('dynamodb', 'table/t')} because no identity-based policy allows the dynamodb:GetItem action`,
    });
    expect(aws.iam.refusals).toHaveLength(1);
  });

  it('needs the index, not the table, to query an index', async () => {
    permit('dynamodb:Query', arn('dynamodb', 'table/t'));
    const query = { KeyConditionExpression: 'a = :a', ExpressionAttributeValues: { ':a': { S: 'x' } } };
    const onTable = as(DynamoDBClient).send(new QueryCommand({ TableName: 't', ...query }));
    await expect(onTable).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const onIndex = as(DynamoDBClient).send(new QueryCommand({ TableName: 't', IndexName: 'i', ...query }));
    await expect(onIndex).rejects.toThrow(`resource: ${arn('dynamodb', 'table/t/index/i')}`);
  });

  it('needs the actions of all items of a transaction', async () => {
    permit('dynamodb:PutItem', '*');
    const TransactItems = [
      { Put: { TableName: 't', Item: {} } },
      { ConditionCheck: { TableName: 't', Key: {}, ConditionExpression: 'a' } },
    ];
    await expect(as(DynamoDBClient).send(new TransactWriteItemsCommand({ TransactItems }))).rejects.toThrow(
      'dynamodb:ConditionCheckItem',
    );
  });

  it('needs the action of one message for a batch of them, and to tag a queue that it makes with tags', async () => {
    permit(['sqs:CreateQueue', 'sqs:SendMessage'], arn('sqs', 'q'));
    const { QueueUrl } = await as(SQSClient).send(new CreateQueueCommand({ QueueName: 'q' }));
    await as(SQSClient).send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: '1', MessageBody: 'x' }] }));
    const tagged = as(SQSClient).send(new CreateQueueCommand({ QueueName: 'q', tags: { a: 'b' } }));
    await expect(tagged).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringContaining('sqs:TagQueue'),
    });
  });

  it('is told that a key is not there only if it may list the bucket', async () => {
    aws.s3.createBucket('files');
    permit(['s3:GetObject', 's3:PutObject'], 'arn:aws:s3:::files/a/*');
    const get = () => as(S3Client).send(new GetObjectCommand({ Bucket: 'files', Key: 'a/1' }));
    await expect(get()).rejects.toMatchObject({ name: 'AccessDenied' });
    permit('s3:ListBucket', 'arn:aws:s3:::files');
    await expect(get()).rejects.toMatchObject({ name: 'NoSuchKey' });
    await as(S3Client).send(new PutObjectCommand({ Bucket: 'files', Key: 'a/1', Body: 'x' }));
    await get();
  });

  it('passes roles to tasks, in its cluster, only with permission to', async () => {
    await aws.ecs.call('CreateCluster', { clusterName: 'c' });
    permit(['ecs:RegisterTaskDefinition', 'ecs:TagResource'], arn('ecs', 'task-definition/f:*'));
    const definition = {
      family: 'f',
      taskRoleArn: roleArn('task'),
      networkMode: 'awsvpc' as const,
      requiresCompatibilities: ['FARGATE' as const],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'a', image: 'x' }],
      tags: [{ key: 'a', value: 'b' }],
    };
    const register = () => as(ECSClient).send(new RegisterTaskDefinitionCommand(definition));
    await expect(register()).rejects.toThrow(`iam:PassRole on resource: ${roleArn('task')}`);
    permit('iam:PassRole', roleArn('task'), { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } });
    await register();
    permit('ecs:RunTask', '*', { ArnEquals: { 'ecs:cluster': arn('ecs', 'cluster/c') } });
    const network = { awsvpcConfiguration: { subnets: ['subnet-1'] } };
    const run = (cluster: string) =>
      as(ECSClient).send(new RunTaskCommand({ cluster, taskDefinition: 'f', networkConfiguration: network }));
    await expect(run('other')).rejects.toThrow(`ecs:RunTask on resource: ${arn('ecs', 'task-definition/f:1')}`);
    expect((await run('c')).tasks).toHaveLength(1);
  });

  it('of the administrator is not limited', async () => {
    await as(SQSClient, localAdministrator).send(new CreateQueueCommand({ QueueName: 'q' }));
    expect(aws.iam.refusals).toEqual([]);
  });
});

describe('assuming a role', () => {
  const tags = (...keys: string[]) => keys.map((Key) => ({ Key, Value: 'x' }));
  const assume = (role: string, more: object = {}) =>
    as(STSClient).send(new AssumeRoleCommand({ RoleArn: roleArn(role), RoleSessionName: 'session', ...more }));

  it('needs nothing to ask who one is', async () => {
    expect((await as(STSClient).send(new GetCallerIdentityCommand({}))).Arn).toContain('assumed-role/worker/w');
  });

  it('needs the trust of the role, whatever the caller may do', async () => {
    permit('sts:*', '*');
    aws.iam.putRole(roleArn('target'), trust({ Service: 'ecs-tasks.amazonaws.com' }));
    await expect(assume('target')).rejects.toMatchObject({ name: 'AccessDenied' });
  });

  it('needs a grant of its own when the role trusts the whole account', async () => {
    aws.iam.putRole(roleArn('target'), trust({ AWS: 'arn:aws:iam::000000000000:root' }));
    await expect(assume('target')).rejects.toMatchObject({ name: 'AccessDenied' });
    permit('sts:AssumeRole', roleArn('target'));
    await assume('target');
  });

  it('is for those with the tags that the role asks for, and no others', async () => {
    const Condition = {
      Null: { 'aws:RequestTag/a': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b'] },
    };
    aws.iam.putRole(roleArn('target'), trust({ AWS: roleArn('worker') }, { Condition }));
    await expect(assume('target')).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(assume('target', { Tags: tags('a', 'c') })).rejects.toMatchObject({ name: 'AccessDenied' });
    await assume('target', { Tags: tags('a', 'b') });
  });

  it('gives no more than the session policy allows', async () => {
    aws.iam.putRole(roleArn('target'), trust({ AWS: roleArn('worker') }));
    aws.iam.attachPolicy('target', { Statement: [{ Effect: 'Allow', Action: 'sqs:*', Resource: '*' }] });
    const Policy = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: '*', Resource: arn('sqs', 'mine') }] });
    const { Credentials } = await assume('target', { Policy });
    const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials!;
    const session = { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: SessionToken! };
    await as(SQSClient, session).send(new CreateQueueCommand({ QueueName: 'mine' }));
    const other = as(SQSClient, session).send(new CreateQueueCommand({ QueueName: 'other' }));
    await expect(other).rejects.toMatchObject({ name: 'AccessDenied' });
  });
});

describe('policies of resources', () => {
  it('allow what no identity does, and deny what one does', async () => {
    aws.iam.putResourcePolicy(arn('sqs', 'q'), {
      Statement: [
        { Effect: 'Allow', Principal: { AWS: roleArn('worker') }, Action: 'sqs:CreateQueue', Resource: '*' },
        { Effect: 'Deny', Principal: '*', Action: 'sqs:SendMessage', Resource: '*' },
      ],
    });
    permit('sqs:SendMessage', '*');
    const { QueueUrl } = await as(SQSClient).send(new CreateQueueCommand({ QueueName: 'q' }));
    const send = as(SQSClient).send(
      new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: '1', MessageBody: 'x' }] }),
    );
    await expect(send).rejects.toThrow('explicit deny');
  });

  it('say which service invokes a function, on behalf of what', () => {
    const Condition = { ArnLike: { 'aws:SourceArn': arn('events', 'rule/r') } };
    aws.iam.permit('f', {
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Condition,
    });
    expect(aws.iam.mayInvoke('events.amazonaws.com', 'f', arn('events', 'rule/r'))).toBe(true);
    expect(aws.iam.mayInvoke('events.amazonaws.com', 'f', arn('events', 'rule/other'))).toBe(false);
    expect(aws.iam.mayInvoke('apigateway.amazonaws.com', 'f', arn('events', 'rule/r'))).toBe(false);
  });
});
