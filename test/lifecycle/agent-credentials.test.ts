import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;

interface Enrolled {
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string };
  storage: { bucket: string; readPrefix: string; writePrefix: string };
  bell: { queueUrl: string };
}
const enrolled: Enrolled[] = [];
const clientsOf = ({ credentials: { accessKeyId, secretAccessKey, sessionToken } }: Enrolled) => {
  const options = {
    region: stack.aws.region,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    requestHandler: stack.aws.requestHandler(),
    maxAttempts: 1,
  };
  return { s3: new S3Client(options), sqs: new SQSClient(options) };
};
const file = 'generations/1/manifest.json';

beforeAll(async () => {
  stack = await TestStack.start();
  const client = new Client(stack);
  await client.putTemplate('pair', { idleTimeoutSeconds: 600 });
  for (let i = 0; i < 2; i++) {
    const agent = await client.createAgent('pair', { start: true });
    await client.becomes(agent.id, 'running');
    await stack.fleet.newest.saveWorkspace(['a']);
    enrolled.push(Reflect.get(stack.fleet.newest, 'enrolment') as Enrolled);
  }
});

afterAll(async () => {
  // What was refused here was meant to be.
  stack.aws.iam.refusals.length = 0;
  await stack.close();
});

test('the credentials of an agent read, write and hear what is its own', async () => {
  const [own] = enrolled as [Enrolled];
  const { s3, sqs } = clientsOf(own);
  const { bucket: Bucket, writePrefix } = own.storage;
  await s3.send(new GetObjectCommand({ Bucket, Key: writePrefix + file }));
  await s3.send(new PutObjectCommand({ Bucket, Key: `${writePrefix}packs/x`, Body: 'x' }));
  await sqs.send(new ReceiveMessageCommand({ QueueUrl: own.bell.queueUrl }));
});

const denied: [string, (own: Enrolled, other: Enrolled) => Promise<unknown>][] = [
  [
    "read another agent's files",
    (own, { storage }) =>
      clientsOf(own).s3.send(new GetObjectCommand({ Bucket: storage.bucket, Key: storage.writePrefix + file })),
  ],
  [
    "write over another agent's files",
    (own, { storage }) =>
      clientsOf(own).s3.send(
        new PutObjectCommand({ Bucket: storage.bucket, Key: storage.writePrefix + file, Body: 'x' }),
      ),
  ],
  [
    "write where another of the agent's runtimes writes",
    (own) => {
      const { bucket: Bucket, readPrefix } = own.storage;
      const Key = `${readPrefix}runtimes/rt_other/packs/x`;
      return clientsOf(own).s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));
    },
  ],
  [
    'delete its own files',
    (own) => {
      const { bucket: Bucket, writePrefix } = own.storage;
      return clientsOf(own).s3.send(new DeleteObjectCommand({ Bucket, Key: writePrefix + file }));
    },
  ],
  [
    'list the bucket',
    (own) =>
      clientsOf(own).s3.send(new ListObjectsV2Command({ Bucket: own.storage.bucket, Prefix: own.storage.readPrefix })),
  ],
  [
    "hear another runtime's bell",
    (own, other) => clientsOf(own).sqs.send(new ReceiveMessageCommand({ QueueUrl: other.bell.queueUrl })),
  ],
  [
    "ring another runtime's bell",
    (own, other) =>
      clientsOf(own).sqs.send(new SendMessageCommand({ QueueUrl: other.bell.queueUrl, MessageBody: 'look' })),
  ],
];

test.each(denied)('the credentials of an agent do not %s', async (_what, attempt) => {
  const [own, other] = enrolled as [Enrolled, Enrolled];
  await expect(attempt(own, other)).rejects.toMatchObject({
    name: 'AccessDenied',
    message: expect.stringContaining('is not authorized to perform'),
  });
});
