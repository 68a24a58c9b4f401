import { DynamoDBClient, PutItemCommand, type PutItemCommandInput } from '@aws-sdk/client-dynamodb';
import { expect, test } from 'vitest';
import { localAdministrator } from '../../local/credentials.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
});

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
