import {
  DescribeTasksCommand,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeClients } from '../clients.ts';
import { entriesOf } from '../compatibility/differences.ts';
import { facts, type Scope } from '../compatibility/facts.ts';
import { record } from '../compatibility/record.ts';
import { api, target } from './setup.ts';

const clients = makeClients(target);
const { differences } = entriesOf(target.backend);
const startedBy = 'compatibility';
const strayStartedBy = 'compatibility-stray';
const tellCredentials = `node -e "
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: full, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative } = process.env;
  fetch(full ?? 'http://169.254.170.2' + relative).then((answer) => answer.text()).then(console.log)"`;

/** A shim that tries to enrol where nobody listens runs until it is stopped. */
const nobodysShim = Object.entries({
  ROUSE_API_URL: 'http://127.0.0.1:9',
  ROUSE_TENANT: 'nobody',
  ROUSE_AGENT_ID: 'nobody',
  ROUSE_RUNTIME_ID: 'nobody',
}).map(([name, value]) => ({ name, value }));

let scope: Scope;

/** What launches a task like one that runs. A server without networks takes any subnet. */
async function launchLike(taskArn: string): Promise<RunTaskCommandInput> {
  const cluster = target.outputs.Cluster;
  const { tasks } = await clients.ecs.send(new DescribeTasksCommand({ cluster, tasks: [taskArn] }));
  const { attachments = [], taskDefinitionArn } = tasks![0]!;
  const details = attachments.flatMap((attachment) => attachment.details ?? []);
  const subnets = [details.find(({ name }) => name === 'subnetId')?.value ?? 'subnet-00000000'];
  return {
    cluster,
    taskDefinition: taskDefinitionArn,
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
    networkConfiguration: { awsvpcConfiguration: { subnets } },
    overrides: { containerOverrides: [{ name: 'agent', environment: nobodysShim }] },
    startedBy,
  };
}

beforeAll(async () => {
  const agent = await api.shell(tellCredentials);
  const { output } = await api.run(agent, 'x', { output: { type: 'json' } });
  const { AccessKeyId, SecretAccessKey, Token } = output as Record<string, string>;
  const { runtime } = await api.agentNow(agent);
  const launch = await launchLike(runtime!.taskArn!);
  let task: Promise<Task> | undefined;
  scope = {
    target,
    clients,
    api,
    launch,
    stray: () => {
      task ??= clients.ecs
        .send(new RunTaskCommand({ ...launch, startedBy: strayStartedBy }))
        .then(({ tasks }) => tasks![0]!);
      return task;
    },
    container: {
      credentials: { accessKeyId: AccessKeyId!, secretAccessKey: SecretAccessKey!, sessionToken: Token! },
      taskId: runtime!.taskArn!.split('/').at(-1)!,
    },
  };
});

afterAll(async () => {
  const cluster = target.outputs.Cluster;
  for (const who of [startedBy, strayStartedBy]) {
    const { taskArns = [] } = await clients.ecs.send(new ListTasksCommand({ cluster, startedBy: who }));
    for (const task of taskArns) await clients.ecs.send(new StopTaskCommand({ cluster, task }));
  }
});

describe(`${target.backend} does as AWS, or as differences.ts says`, () => {
  test.each(facts)('$service $operation $says', async ({ id, check }) => {
    const error: Error | undefined = await check(scope).then(
      () => undefined,
      (reason) => reason as Error,
    );
    record({ type: 'fact', id, asOnAws: error === undefined, why: error?.message.split('\n')[0] });
    const expected = differences.find(({ fact }) => fact === id);
    if (expected && !error) expect.fail(`It does as AWS now: remove the entry "${id}" from differences.ts.`);
    if (!expected && error) throw error;
  });
});
