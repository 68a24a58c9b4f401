import { DynamoDBClient, PutItemCommand, type PutItemCommandInput } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import { Client } from '../support/client.ts';
import { TestStack } from '../support/stack.ts';

let stack: TestStack;
let client: Client;

beforeEach(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

afterEach(() => stack.close());

test('a task whose live row comes back after its end does not run again', async () => {
  const agent = await client.createAgent('echo');
  let runs = 0;
  stack.fleet.program = () => ++runs;
  const puts: PutItemCommandInput[] = [];
  stack.aws.observe(({ operation, input }) => {
    if (operation === 'PutItem') puts.push(input as unknown as PutItemCommandInput);
  });
  const task = await client.submit(agent.id, 'x');
  await client.ended(task.id);

  // A repeated submission that read the record just before it was settled does this.
  const livePut = puts.find(({ Item }) => Item?.sk?.S?.startsWith('live#'))!;
  const { region } = stack.aws;
  const dynamodb = new DynamoDBClient({
    region,
    credentials: localAdministrator,
    requestHandler: stack.aws.requestHandler(),
  });
  await dynamodb.send(new PutItemCommand(livePut));
  await stack.advance(40);
  expect(runs).toBe(1);
  expect(await client.task(task.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect((await client.agent(agent.id)).tasks).toEqual({ queued: 0, running: 0 });
});
