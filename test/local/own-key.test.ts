import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../local/clock.ts';
import { localAdministrator } from '../../local/credentials.ts';
import type { CloudAssembly } from '../../local/deploy/assembly.ts';
import type { EmbeddedAws } from '../../local/embedded-aws.ts';
import { startEmbeddedAws } from '../support/embedded.ts';

/** What a customer's key encrypts takes the permissions of KMS as well, in the name of who calls. */

const roleArn = 'arn:aws:iam::000000000000:role/worker';
const keyArn = 'arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab';

const Resources = {
  Table: {
    Type: 'AWS::DynamoDB::Table',
    Properties: {
      TableName: 'items',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: keyArn },
    },
  },
  Bucket: {
    Type: 'AWS::S3::Bucket',
    Properties: {
      BucketName: 'objects',
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyArn } },
        ],
      },
    },
  },
  Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'messages', KmsMasterKeyId: keyArn } },
};
const QueueUrl = 'https://sqs.us-east-1.amazonaws.com/000000000000/messages';

let aws: EmbeddedAws;

beforeEach(async () => {
  aws = await startEmbeddedAws({ clock: new ManualClock(Date.now()) });
  const assembly = { stackName: 'Tiny', template: { Resources }, fileAssets: new Map(), imageAssets: new Map() };
  await aws.deploy(assembly as CloudAssembly);
  aws.iam.putRole(roleArn, { Statement: [] });
  permit(['dynamodb:*', 's3:*', 'sqs:*', 'ssm:*'], '*');
});

function permit(Action: string[], Resource: string, Condition?: object): void {
  const statement = { Effect: 'Allow', Action, Resource, ...(Condition && { Condition }) };
  aws.iam.attachPolicy('worker', { Statement: [statement] });
}

function as<T>(Client: new (options: never) => T, credentials: object = aws.roleCredentials(roleArn, 'w')): T {
  return new Client({
    region: 'us-east-1',
    credentials,
    requestHandler: aws.requestHandler(),
    maxAttempts: 1,
  } as never);
}

const put = () => as(DynamoDBClient).send(new PutItemCommand({ TableName: 'items', Item: { pk: { S: 'a' } } }));
const object = { Bucket: 'objects', Key: 'a' };
const putObject = () => as(S3Client).send(new PutObjectCommand({ ...object, Body: 'x' }));
const getObject = () => as(S3Client).send(new GetObjectCommand(object));
const send = () => as(SQSClient).send(new SendMessageCommand({ QueueUrl, MessageBody: 'x' }));
const receive = () => as(SQSClient).send(new ReceiveMessageCommand({ QueueUrl }));
const parameter = { Name: '/p', Value: 'x', Type: 'SecureString', KeyId: keyArn } as const;
const putParameter = () => as(SSMClient).send(new PutParameterCommand(parameter));
const getParameter = (WithDecryption: boolean) =>
  as(SSMClient).send(new GetParameterCommand({ Name: '/p', WithDecryption }));
const byAdministrator = async () => {
  await as(S3Client, localAdministrator).send(new PutObjectCommand({ ...object, Body: 'x' }));
  await as(SSMClient, localAdministrator).send(new PutParameterCommand(parameter));
};

describe('without the key', () => {
  it.each<[string, () => Promise<unknown>, string]>([
    ['an item is neither read nor written', put, 'kms:Decrypt'],
    ['an object is not written', putObject, 'kms:GenerateDataKey'],
    ['an object is not read', getObject, 'kms:Decrypt'],
    ['no message is sent', send, 'kms:GenerateDataKey'],
    ['no message is received', receive, 'kms:Decrypt'],
    ['no parameter is encrypted', putParameter, 'kms:Encrypt'],
    ['no parameter is decrypted', () => getParameter(true), 'kms:Decrypt'],
  ])('%s', async (_what, call, action) => {
    await byAdministrator();
    await expect(call()).rejects.toThrow(`is not authorized to perform: ${action} on resource: ${keyArn}`);
  });

  it('what is not decrypted is told: that an object is there, and the encrypted text of a parameter', async () => {
    await byAdministrator();
    await as(S3Client).send(new HeadObjectCommand(object));
    expect((await getParameter(false)).Parameter?.Value).toMatch(/^encrypted:/);
  });
});

it('the service by way of which the key is used counts', async () => {
  permit(['kms:Decrypt'], keyArn, { StringEquals: { 'kms:ViaService': 'dynamodb.us-east-1.amazonaws.com' } });
  await put();
  await expect(receive()).rejects.toThrow('kms:Decrypt');
});

it('with the key everything goes', async () => {
  permit(['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey'], keyArn);
  await Promise.all([put(), putObject(), send(), putParameter()]);
  await Promise.all([getObject(), receive(), getParameter(true)]);
  expect(aws.iam.refusals).toEqual([]);
});

it('only a secure string has a key', async () => {
  const plain = new PutParameterCommand({ ...parameter, Type: 'String' });
  await expect(as(SSMClient, localAdministrator).send(plain)).rejects.toThrow('SecureString type parameter only');
});
