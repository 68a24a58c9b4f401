import {
  DescribeTasksCommand,
  ECSClient,
  ListTagsForResourceCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type ContainerExit,
  type ContainerRun,
  SimulatedRunner,
  StartFailure,
  type TaskRun,
} from '../../local/services/ecs/container-runner.ts';
import { EcsService } from '../../local/services/ecs/service.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

/** A container that a test ends by hand; it obeys SIGKILL at once, and SIGTERM if asked to. */
class FakeContainer {
  readonly task: TaskRun;
  readonly run: ContainerRun;
  readonly signals: string[] = [];
  obeysTerm = true;
  private readonly exit = Promise.withResolvers<ContainerExit>();
  readonly exited = this.exit.promise;

  constructor(task: TaskRun, run: ContainerRun) {
    this.task = task;
    this.run = run;
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL') this.end(137);
    else if (this.obeysTerm) this.end(143);
  }

  end(exitCode: number): void {
    this.exit.resolve({ exitCode });
  }
}

interface PublishedEvent {
  detailType: string;
  resources: string[];
  detail: Record<string, unknown>;
}

const network = { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'ENABLED' as const } };
const launch: RunTaskCommandInput = {
  cluster: 'fleet',
  taskDefinition: 'words',
  networkConfiguration: network,
  startedBy: 'default/agt_1/rt_1',
};

async function setUp(delays = {}) {
  const environment = makeEnvironment();
  const containers: FakeContainer[] = [];
  const events: PublishedEvent[] = [];
  const refused = new Set<string>();
  const ecs = new EcsService(environment, {
    runner: new SimulatedRunner((task, run) => {
      if (refused.has(run.image)) throw new StartFailure(`CannotPullContainerError: ${run.image}`);
      const container = new FakeContainer(task, run);
      containers.push(container);
      return container;
    }),
    readSecret: async (valueFrom) => {
      if (valueFrom.endsWith('missing')) throw new Error('there is no such secret');
      return `value of ${valueFrom}`;
    },
    publish: (event) => events.push(structuredClone(event) as PublishedEvent),
    delays,
  });
  const sdk = client(ECSClient, makeWire(environment, ecs));
  await ecs.call('CreateCluster', { clusterName: 'fleet', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] });
  const register = (container: object = {}, more: object = {}) =>
    sdk.send(
      new RegisterTaskDefinitionCommand({
        family: 'words',
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '256',
        memory: '512',
        executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
        taskRoleArn: 'arn:aws:iam::000000000000:role/rouse/task',
        containerDefinitions: [{ name: 'agent', image: 'agent:1', ...container }],
        ...more,
      }),
    );
  await register();
  const settled = () => environment.activity.settled();
  const run = async (more: Partial<RunTaskCommandInput> = {}) => {
    const answer = await sdk.send(new RunTaskCommand({ ...launch, ...more }));
    await settled();
    return answer;
  };
  const describeTask = async (arn: string) =>
    (await sdk.send(new DescribeTasksCommand({ cluster: 'fleet', tasks: [arn], include: ['TAGS'] }))).tasks?.[0];
  const advance = async (ms: number) => {
    const until = environment.clock.now() + ms;
    while (environment.clock.step(until)) await settled();
    await settled();
  };
  return { environment, ecs, sdk, containers, events, refused, register, run, settled, describeTask, advance };
}

describe('the life of a task', () => {
  let world: Awaited<ReturnType<typeof setUp>>;
  beforeEach(async () => {
    world = await setUp();
  });

  it('passes the states up to RUNNING and announces each with a rising version', async () => {
    const { tasks } = await world.run();
    expect(tasks?.[0]?.lastStatus).toBe('PROVISIONING');
    const seen = world.events.map(({ detail }) => [detail.lastStatus, detail.version]);
    expect(seen).toEqual([
      ['PROVISIONING', 1],
      ['PENDING', 2],
      ['ACTIVATING', 3],
      ['RUNNING', 4],
    ]);
    expect(world.events[3]!.resources).toEqual([tasks?.[0]?.taskArn]);
    expect(world.events[3]!.detail).toMatchObject({
      startedBy: 'default/agt_1/rt_1',
      group: 'family:words',
      connectivity: 'CONNECTED',
    });
    expect(await world.describeTask(tasks![0]!.taskArn!)).toMatchObject({
      lastStatus: 'RUNNING',
      version: 4,
      startedAt: expect.any(Date),
    });
  });

  it('stops the task with the exit code when its essential container ends', async () => {
    const { tasks } = await world.run({ tags: [{ key: 'a', value: 'b' }] });
    world.containers[0]!.end(3);
    await world.settled();
    const task = await world.describeTask(tasks![0]!.taskArn!);
    expect(task).toMatchObject({
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stopCode: 'EssentialContainerExited',
      stoppedReason: 'Essential container in task exited',
      executionStoppedAt: expect.any(Date),
    });
    expect(task?.containers?.[0]).toMatchObject({ name: 'agent', exitCode: 3, lastStatus: 'STOPPED' });
    expect(task?.tags).toEqual([]);
    const after = world.events.slice(4).map(({ detail }) => detail.lastStatus);
    expect(after).toEqual(['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED']);
  });

  it('sends SIGTERM on StopTask and SIGKILL when the stop time-out is over', async () => {
    await world.register({ stopTimeout: 20 });
    const { tasks } = await world.run();
    const container = world.containers[0]!;
    container.obeysTerm = false;
    const taskArn = tasks![0]!.taskArn!;
    await world.sdk.send(new StopTaskCommand({ cluster: 'fleet', task: taskArn, reason: 'not needed' }));
    await world.advance(19_000);
    expect(container.signals).toEqual(['SIGTERM']);
    expect(await world.describeTask(taskArn)).toMatchObject({ lastStatus: 'STOPPING', desiredStatus: 'STOPPED' });
    await world.advance(1_000);
    expect(container.signals).toEqual(['SIGTERM', 'SIGKILL']);
    const task = await world.describeTask(taskArn);
    expect(task).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'UserInitiated', stoppedReason: 'not needed' });
    expect(task?.containers?.[0]?.exitCode).toBe(137);
  });

  it('never starts a container that was stopped while it was provisioned', async () => {
    world = await setUp({ provisioningMs: 5000 });
    const { tasks } = await world.run();
    await world.sdk.send(new StopTaskCommand({ cluster: 'fleet', task: tasks![0]!.taskArn! }));
    await world.advance(5000);
    expect(world.containers).toEqual([]);
    expect(await world.describeTask(tasks![0]!.taskArn!)).toMatchObject({
      lastStatus: 'STOPPED',
      stopCode: 'UserInitiated',
    });
  });

  it('fails to start with the reason when an image cannot be pulled', async () => {
    world.refused.add('agent:1');
    const { tasks } = await world.run();
    expect(await world.describeTask(tasks![0]!.taskArn!)).toMatchObject({
      lastStatus: 'STOPPED',
      stopCode: 'TaskFailedToStart',
      stoppedReason: 'CannotPullContainerError: agent:1',
    });
  });

  it('fails to start when a secret is missing, and passes those that are there', async () => {
    await world.register({ secrets: [{ name: 'TOKEN', valueFrom: 'there' }] });
    await world.run();
    expect(world.containers[0]!.run.environment.TOKEN).toBe('value of there');
    await world.register({ secrets: [{ name: 'TOKEN', valueFrom: 'missing' }] });
    const { tasks } = await world.run();
    const task = await world.describeTask(tasks![0]!.taskArn!);
    expect(task?.stopCode).toBe('TaskFailedToStart');
    expect(task?.stoppedReason).toContain('ResourceInitializationError: unable to pull secrets');
  });

  it('starts a container that waits for the success of another one only then', async () => {
    const shim = { name: 'shim', image: 'shim:1', essential: false };
    const agent = {
      name: 'agent',
      image: 'agent:1',
      dependsOn: [{ containerName: 'shim', condition: 'SUCCESS' as const }],
    };
    await world.register({}, { containerDefinitions: [shim, agent] });
    const { tasks } = await world.run();
    expect(world.containers.map(({ run }) => run.name)).toEqual(['shim']);
    world.containers[0]!.end(0);
    await world.settled();
    expect(world.containers.map(({ run }) => run.name)).toEqual(['shim', 'agent']);
    expect(await world.describeTask(tasks![0]!.taskArn!)).toMatchObject({ lastStatus: 'RUNNING' });
  });

  it('announces a Spot interruption while the task still runs', async () => {
    const { tasks } = await world.run({ capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }] });
    world.containers[0]!.obeysTerm = false;
    world.ecs.interrupt(tasks![0]!.taskArn!);
    expect(world.events[4]!.detail).toMatchObject({
      lastStatus: 'RUNNING',
      desiredStatus: 'STOPPED',
      stopCode: 'SpotInterruption',
      capacityProviderName: 'FARGATE_SPOT',
    });
    expect(world.containers[0]!.signals).toEqual(['SIGTERM']);
  });

  it('forgets a stopped task after an hour', async () => {
    const { tasks } = await world.run();
    world.containers[0]!.end(0);
    await world.settled();
    await world.advance(3_599_000);
    expect(await world.describeTask(tasks![0]!.taskArn!)).toBeDefined();
    await world.advance(2_000);
    const { failures } = await world.sdk.send(
      new DescribeTasksCommand({ cluster: 'fleet', tasks: [tasks![0]!.taskArn!] }),
    );
    expect(failures).toEqual([{ arn: tasks![0]!.taskArn, reason: 'MISSING' }]);
  });

  it('passes environment and command of the overrides over those of the definition', async () => {
    await world.register({
      environment: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
      command: ['old'],
    });
    await world.run({
      overrides: {
        containerOverrides: [{ name: 'agent', command: ['new'], environment: [{ name: 'B', value: '3' }] }],
      },
    });
    const { run } = world.containers[0]!;
    expect(run.environment).toMatchObject({ A: '1', B: '3', AWS_REGION: 'us-east-1' });
    expect(run.command).toEqual(['new']);
  });
});

describe('RunTask', () => {
  it('forgets a client token an hour after its task has stopped', async () => {
    const { run, containers, settled, advance } = await setUp();
    const first = await run({ clientToken: 'rt_1' });
    containers[0]!.end(0);
    await settled();
    await advance(3_601_000);
    const second = await run({ clientToken: 'rt_1' });
    expect(second.tasks?.[0]?.taskArn).not.toBe(first.tasks?.[0]?.taskArn);
  });

  it('succeeds with failures and without tasks when there is no capacity', async () => {
    const { run, ecs } = await setUp();
    ecs.launchFailure = () => ({ reason: 'Capacity is unavailable at this time.' });
    expect(await run()).toMatchObject({ tasks: [], failures: [{ reason: 'Capacity is unavailable at this time.' }] });
  });

  it.each<[string, Partial<RunTaskCommandInput>, string]>([
    ['an unknown container', { overrides: { containerOverrides: [{ name: 'x' }] } }, 'InvalidParameterException'],
    ['startedBy with a forbidden character', { startedBy: 'a b' }, 'InvalidParameterException'],
    ['startedBy over 128 characters', { startedBy: 'a'.repeat(129) }, 'InvalidParameterException'],
    ['a client token over 64 characters', { clientToken: 'a'.repeat(65) }, 'InvalidParameterException'],
    ['no network', { networkConfiguration: undefined }, 'InvalidParameterException'],
    ['no subnets', { networkConfiguration: { awsvpcConfiguration: { subnets: [] } } }, 'InvalidParameterException'],
    [
      'launch type and strategy',
      { launchType: 'FARGATE', capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }] },
      'InvalidParameterException',
    ],
    [
      'a strategy without weights',
      { capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] },
      'InvalidParameterException',
    ],
    ['a size that Fargate lacks', { overrides: { cpu: '256', memory: '8192' } }, 'ClientException'],
    ['an unknown parameter', { volumeConfigurations: [{ name: 'x' }] }, 'NotEmulated'],
  ])('refuses %s', async (_case, more, code) => {
    const { run } = await setUp();
    await expect(run(more)).rejects.toMatchObject({ name: code });
  });
});

describe('reading tasks', () => {
  it('lists by startedBy, by family and by desired status', async () => {
    const { run, sdk, containers, settled } = await setUp();
    await run({ startedBy: 'one' });
    await run({ startedBy: 'two' });
    containers[1]!.end(0);
    await settled();
    const count = async (filter: object) =>
      (await sdk.send(new ListTasksCommand({ cluster: 'fleet', ...filter }))).taskArns?.length;
    expect(await count({ startedBy: 'one' })).toBe(1);
    expect(await count({ startedBy: 'two' })).toBe(0);
    expect(await count({ startedBy: 'two', desiredStatus: 'STOPPED' })).toBe(1);
    expect(await count({ family: 'words' })).toBe(1);
    await expect(count({ startedBy: 'one', family: 'words' })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  it('keeps the tags of a task until it is stopped', async () => {
    const { run, sdk, containers, settled } = await setUp();
    const { tasks } = await run({ tags: [{ key: 'tenant', value: 'default' }] });
    const tags = async () =>
      (await sdk.send(new ListTagsForResourceCommand({ resourceArn: tasks![0]!.taskArn! }))).tags;
    expect(await tags()).toEqual([{ key: 'tenant', value: 'default' }]);
    containers[0]!.end(0);
    await settled();
    expect(await tags()).toEqual([]);
  });
});

describe('RegisterTaskDefinition', () => {
  it.each<[string, object, object, string]>([
    ['a stop time-out over 120 s', { stopTimeout: 121 }, {}, 'stopTimeout'],
    [
      'logs without an execution role',
      { logConfiguration: { logDriver: 'awslogs' } },
      { executionRoleArn: undefined },
      'execution role ARN',
    ],
    [
      'a dependency on an unknown container',
      { dependsOn: [{ containerName: 'x', condition: 'START' }] },
      {},
      'unknown container x',
    ],
  ])('refuses %s', async (_case, container, more, message) => {
    const { register } = await setUp();
    await expect(register(container, more)).rejects.toThrow(message);
  });
});

describe('the endpoints of a task', () => {
  it('give credentials of the task role whose session is the task id, until the task stops', async () => {
    const { run, ecs, environment, containers, settled } = await setUp();
    const { tasks } = await run();
    const [task] = ecs.allTasks();
    const get = (path: string) =>
      ecs.handleEndpoint({ method: 'GET', path, query: {}, rawQuery: '', headers: {}, body: new Uint8Array() });
    const path = `/_aws/ecs/credentials/${task!.secretToken}`;
    const credentials = JSON.parse(String(get(path).body));
    const id = tasks![0]!.taskArn!.split('/').at(-1);
    expect(environment.credentials.find(credentials.AccessKeyId)?.principal.arn).toBe(
      `arn:aws:sts::000000000000:assumed-role/task/${id}`,
    );
    const metadata = JSON.parse(String(get(`/_aws/ecs/metadata/${task!.secretToken}/task`).body));
    expect(metadata).toMatchObject({ TaskARN: tasks![0]!.taskArn, Family: 'words', Revision: '1' });
    containers[0]!.end(0);
    await settled();
    expect(get(path).status).toBe(404);
  });
});
