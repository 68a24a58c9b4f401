import { ECSClient, ListTagsForResourceCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { describe, expect, it } from 'vitest';
import type { Runtime } from '../../lib/app/ports.ts';
import { EcsRunner, runtimeOf, startedBy, toObservation } from '../../lib/aws/runner.ts';
import { type ContainerExit, SimulatedRunner, type TaskRun } from '../../local/services/ecs/container-runner.ts';
import { EcsService } from '../../local/services/ecs/service.ts';
import { agentId, nowMs, otherRuntimeId, runtimeId } from '../support/builders.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

const cluster = 'arn:aws:ecs:us-east-1:000000000000:cluster/fleet';

async function setUp() {
  const environment = makeEnvironment();
  const started: TaskRun[] = [];
  const environments: Record<string, string>[] = [];
  const ecs = new EcsService(environment, {
    runner: new SimulatedRunner((task, container) => {
      started.push(task);
      environments.push(container.environment);
      const exit = Promise.withResolvers<ContainerExit>();
      return { exited: exit.promise, signal: () => exit.resolve({ exitCode: 143 }) };
    }),
    readSecret: async () => '',
    publish: () => {},
    delays: {},
  });
  const sdk = client(ECSClient, makeWire(environment, ecs));
  await ecs.call('CreateCluster', { clusterName: 'fleet', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] });
  const registered = await sdk.send(
    new RegisterTaskDefinitionCommand({
      family: 'words',
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
      taskRoleArn: 'arn:aws:iam::000000000000:role/rouse/task',
      containerDefinitions: [{ name: 'agent', image: 'agent:1' }],
      tags: [{ key: 'rouse:template', value: 'words' }],
    }),
  );
  const runner = new EcsRunner(sdk, {
    cluster,
    subnets: ['subnet-1'],
    securityGroups: ['sg-1'],
    assignPublicIp: 'ENABLED',
    apiUrl: 'https://api.example',
  });
  const runtime: Runtime = {
    id: runtimeId,
    agentId,
    tenant: 'default',
    createdMs: nowMs,
    taskDefinitionArn: registered.taskDefinition!.taskDefinitionArn!,
    taskRoleArn: 'arn:role',
    capacity: 'on-demand',
    stopTimeoutSeconds: 120,
    templateVersion: 1,
    status: 'intended',
  };
  const advance = async (ms: number) => {
    const until = environment.clock.now() + ms;
    await environment.activity.settled();
    while (environment.clock.step(until)) await environment.activity.settled();
    await environment.activity.settled();
  };
  const launch = async (differs: Partial<Runtime> = {}) => {
    const answer = await runner.launch({ ...runtime, ...differs });
    await environment.activity.settled();
    return answer;
  };
  const arnOf = (answer: Awaited<ReturnType<typeof launch>>) => {
    if (!('taskArn' in answer)) throw new Error(answer.refused.reason);
    return answer.taskArn;
  };
  const tagsOf = async (resourceArn: string) => {
    const { tags = [] } = await sdk.send(new ListTagsForResourceCommand({ resourceArn }));
    return Object.fromEntries(tags.map(({ key, value }) => [key, value]));
  };
  return { environment, runner, runtime, started, environments, advance, launch, arnOf, tagsOf };
}

describe('a launch', () => {
  it('tags the task with its agent, and with what its definition is tagged with', async () => {
    const { launch, arnOf, tagsOf } = await setUp();
    expect(await tagsOf(arnOf(await launch()))).toEqual({ 'rouse:template': 'words', 'rouse:agent': agentId });
  });

  it('of a standby leaves the agent out, which nobody knows yet', async () => {
    const { launch, arnOf, tagsOf } = await setUp();
    const standby = arnOf(await launch({ agentId: undefined, pool: 'words' }));
    expect(await tagsOf(standby)).toEqual({ 'rouse:template': 'words' });
  });

  it('tells the container who it is, and ECS whose it is', async () => {
    const { launch, advance, started, environments } = await setUp();
    await launch();
    await advance(60_000);
    expect(started[0]?.startedBy).toBe(`default/${agentId}/${runtimeId}`);
    expect(environments[0]).toMatchObject({
      ROUSE_API_URL: 'https://api.example',
      ROUSE_TENANT: 'default',
      ROUSE_AGENT_ID: agentId,
      ROUSE_RUNTIME_ID: runtimeId,
    });
  });

  it('that is repeated is the same task', async () => {
    const { launch, runner, runtime } = await setUp();
    expect(await launch()).toEqual(await launch());
    expect(await runner.find(runtime)).toHaveLength(1);
  });

  it('with other parameters under the same token adopts what is there', async () => {
    const { launch } = await setUp();
    const first = await launch();
    expect(await launch({ capacity: 'spot' })).toEqual(first);
  });

  it('that ECS throttles is an error, to be tried again', async () => {
    const { launch, environment } = await setUp();
    environment.faults.add((call) =>
      call.operation === 'RunTask' ? { kind: 'error', code: 'ThrottlingException', status: 400 } : undefined,
    );
    await expect(launch()).rejects.toThrow('ThrottlingException');
  });

  it('that ECS finds invalid is refused, and blamed on the template', async () => {
    const { launch } = await setUp();
    const answer = await launch({ taskDefinitionArn: 'words:99' });
    expect(answer).toEqual({ refused: { reason: expect.any(String), ours: false } });
  });

  it('for lack of capacity is refused, and blamed on nobody', async () => {
    const { launch, environment } = await setUp();
    environment.faults.add((call) =>
      call.operation === 'RunTask'
        ? { kind: 'error', code: 'ClientException', message: 'You have reached the limit of vCPUs.', status: 400 }
        : undefined,
    );
    expect(await launch()).toEqual({ refused: { reason: 'You have reached the limit of vCPUs.', ours: true } });
  });
});

describe('a task', () => {
  it('is described until it has stopped', async () => {
    const { launch, arnOf, runner, advance } = await setUp();
    const arn = arnOf(await launch());
    await advance(60_000);
    expect(await runner.describe(arn)).toMatchObject({ taskArn: arn, lastStatus: 'RUNNING', executionStopped: false });
    await runner.stop(arn, `Rouse: ${'x'.repeat(400)}`);
    await advance(180_000);
    expect(await runner.describe(arn)).toMatchObject({
      lastStatus: 'STOPPED',
      executionStopped: true,
      exitCode: 143,
      stoppedReason: expect.stringContaining('Rouse: xxx'),
    });
  });

  it('is found by its runtime, running or stopped', async () => {
    const { launch, arnOf, runner, runtime, advance } = await setUp();
    const arn = arnOf(await launch());
    expect(await runner.find(runtime)).toEqual([arn]);
    await runner.stop(arn, 'test');
    await advance(180_000);
    expect(await runner.find(runtime)).toEqual([arn]);
    expect(await runner.find({ ...runtime, id: otherRuntimeId })).toEqual([]);
  });

  it('that ECS does not know is missing, and stopping it is done already', async () => {
    const { runner } = await setUp();
    const arn = 'arn:aws:ecs:us-east-1:000000000000:task/fleet/0123456789abcdef0123456789abcdef';
    expect(await runner.describe(arn)).toBe('missing');
    await runner.stop(arn, 'test');
  });

  it('that could not be looked up is unknown, never missing', async () => {
    const { runner, environment } = await setUp();
    environment.faults.add(() => ({ kind: 'error', code: 'ServerException', status: 500 }));
    await expect(runner.describe('arn:aws:ecs:us-east-1:000000000000:task/fleet/1')).rejects.toThrow('ServerException');
  });
});

describe('the runtime that a task was started for', () => {
  it('is read from what it was started by', () => {
    const runtime = { id: runtimeId, agentId, tenant: 'default' };
    expect(runtimeOf(startedBy(runtime))).toEqual({ tenant: 'default', runtimeId });
  });

  it('is the same before and after an agent took it over from a pool', () => {
    const standby = { id: runtimeId, pool: 'words', tenant: 'default' };
    expect(startedBy({ ...standby, agentId })).toBe(startedBy(standby));
    expect(runtimeOf(startedBy(standby))).toEqual({ tenant: 'default', runtimeId });
  });

  it('is nobody of ours for anything else', () => {
    for (const other of [undefined, '', 'ecs-svc/1', 'a/b/c/d', 'a//c']) expect(runtimeOf(other)).toBeUndefined();
  });
});

describe('an observation', () => {
  const task = { taskArn: 'arn:task', version: 3, lastStatus: 'PENDING', desiredStatus: 'RUNNING', containers: [] };

  it('tells that the image is being pulled', () => {
    const pullStartedAt = '2027-01-04T08:00:00Z';
    expect(toObservation({ ...task, pullStartedAt }).pulling).toBe(true);
    expect(toObservation({ ...task, pullStartedAt, pullStoppedAt: pullStartedAt }).pulling).toBe(false);
    expect(toObservation({ ...task, pullStartedAt, lastStatus: 'STOPPED' }).pulling).toBe(false);
    expect(toObservation(task).pulling).toBe(false);
  });

  it('tells that the container has ended before ECS has cleaned up', () => {
    expect(toObservation({ ...task, lastStatus: 'DEPROVISIONING', executionStoppedAt: 'x' }).executionStopped).toBe(
      true,
    );
  });

  it('joins the reasons of the task and of its container', () => {
    const containers = [{ name: 'agent', exitCode: 137, reason: 'OutOfMemoryError' }];
    expect(toObservation({ ...task, stoppedReason: 'Essential container exited', containers })).toMatchObject({
      stoppedReason: 'Essential container exited; OutOfMemoryError',
      exitCode: 137,
    });
  });
});
