import {
  CreateClusterCommand,
  DeregisterTaskDefinitionCommand,
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTagsForResourceCommand,
  ListTasksCommand,
  type ListTasksCommandInput,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { expect } from 'vitest';
import { contract, type World } from './claim.ts';

const networkConfiguration = { awsvpcConfiguration: { subnets: ['subnet-1'], assignPublicIp: 'ENABLED' as const } };

/** A cluster, and a task definition of Fargate if it is to be used: ECS registers one a second, after a burst of twenty. */
async function fleet(world: World, { isUsed = true } = {}) {
  const ecs = world.client(ECSClient);
  const cluster = world.unique('contract');
  const family = world.unique('family');
  await ecs.send(new CreateClusterCommand({ clusterName: cluster, capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }));
  const register = async (more: Partial<RegisterTaskDefinitionCommandInput> = {}) => {
    const { taskDefinition } = await ecs.send(
      new RegisterTaskDefinitionCommand({
        family,
        requiresCompatibilities: ['FARGATE'],
        networkMode: 'awsvpc',
        cpu: '256',
        memory: '512',
        containerDefinitions: [{ name: 'agent', image: 'public.ecr.aws/docker/library/busybox:1', essential: true }],
        ...more,
      }),
    );
    return taskDefinition!;
  };
  if (isUsed) await register();
  const run = async (more: Partial<RunTaskCommandInput> = {}) => {
    const input = { cluster, taskDefinition: family, networkConfiguration, ...more };
    const answer = await ecs.send(new RunTaskCommand(input));
    for (const { taskArn } of answer.tasks ?? [])
      world.later(() => ecs.send(new StopTaskCommand({ cluster, task: taskArn })));
    return answer;
  };
  const describeTask = async (task: string | undefined) =>
    (await ecs.send(new DescribeTasksCommand({ cluster, tasks: [task!], include: ['TAGS'] }))).tasks?.[0];
  const list = async (more: Partial<ListTasksCommandInput> = {}) =>
    (await ecs.send(new ListTasksCommand({ cluster, ...more }))).taskArns ?? [];
  return { ecs, cluster, family, register, run, describeTask, list };
}

contract('ECS', (claim) => {
  claim('DescribeClusters', 'tells what is there and what is not', async (world) => {
    const { ecs, cluster } = await fleet(world, { isUsed: false });
    const answer = await ecs.send(new DescribeClustersCommand({ clusters: [cluster, 'none'] }));
    expect(answer.clusters).toMatchObject([{ clusterName: cluster, status: 'ACTIVE' }]);
    expect(answer.failures).toMatchObject([{ reason: 'MISSING' }]);
  });

  claim('RegisterTaskDefinition', 'each registration is the next revision', async (world) => {
    const { register, family } = await fleet(world);
    const second = await register();
    expect(second).toMatchObject({ family, revision: 2, status: 'ACTIVE', cpu: '256', memory: '512' });
    expect(second.taskDefinitionArn).toBe(`arn:aws:ecs:${world.region}:${world.accountId}:task-definition/${family}:2`);
  });

  claim('RegisterTaskDefinition', 'a size that Fargate does not have is refused', async (world) => {
    const { register } = await fleet(world);
    await expect(register({ cpu: '256', memory: '4096' })).rejects.toMatchObject({ name: 'ClientException' });
  });

  claim('DescribeTaskDefinition', 'of a family is the newest that is active', async (world) => {
    const { ecs, register, family } = await fleet(world);
    const second = await register();
    await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: second.taskDefinitionArn }));
    const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }));
    expect(taskDefinition!.revision).toBe(1);
  });

  claim('DescribeTaskDefinition', 'of a family that is not there is ClientException', async (world) => {
    const { ecs } = await fleet(world, { isUsed: false });
    const call = ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: world.unique('none') }));
    await expect(call).rejects.toMatchObject({ name: 'ClientException' });
  });

  claim('RunTask', 'a task has an ARN in its cluster, its overrides and its tags', async (world) => {
    const { ecs, cluster, run, describeTask } = await fleet(world);
    const { tasks, failures } = await run({
      startedBy: 'default/agt/rt',
      tags: [{ key: 'rouse', value: 'x' }],
      overrides: { containerOverrides: [{ name: 'agent', environment: [{ name: 'A', value: '1' }] }] },
    });
    expect(failures).toEqual([]);
    const arn = tasks![0]!.taskArn!;
    expect(arn).toMatch(new RegExp(`:task/${cluster}/[0-9a-f]{32}$`));
    expect(await describeTask(arn)).toMatchObject({ startedBy: 'default/agt/rt', launchType: 'FARGATE' });
    expect((await describeTask(arn))!.overrides!.containerOverrides).toMatchObject([
      { name: 'agent', environment: [{ name: 'A', value: '1' }] },
    ]);
    const { tags } = await ecs.send(new ListTagsForResourceCommand({ resourceArn: arn }));
    expect(tags).toEqual([{ key: 'rouse', value: 'x' }]);
  });

  claim('RunTask', 'a task gets the tags of its definition when they are to be propagated', async (world) => {
    const { ecs, register, run } = await fleet(world);
    await register({ tags: [{ key: 'rouse', value: 'x' }] });
    const { tasks } = await run({ propagateTags: 'TASK_DEFINITION', tags: [{ key: 'own', value: 'y' }] });
    const { tags = [] } = await ecs.send(new ListTagsForResourceCommand({ resourceArn: tasks![0]!.taskArn! }));
    expect(tags.map(({ key, value }) => `${key}=${value}`).toSorted()).toEqual(['own=y', 'rouse=x']);
  });

  claim('RunTask', 'the same client token is the same task', async (world) => {
    const { run } = await fleet(world);
    const [first, second] = [await run({ clientToken: 'token' }), await run({ clientToken: 'token' })];
    expect(second.tasks![0]!.taskArn).toBe(first.tasks![0]!.taskArn);
  });

  claim('RunTask', 'the same client token with other parameters names the task that there is', async (world) => {
    const { run } = await fleet(world);
    const { tasks } = await run({ clientToken: 'token' });
    const other = run({ clientToken: 'token', startedBy: 'someone-else' });
    await expect(other).rejects.toMatchObject({ name: 'ConflictException', resourceIds: [tasks![0]!.taskArn] });
  });

  claim('RunTask', 'in a cluster that is not there is ClusterNotFoundException', async (world) => {
    const { run } = await fleet(world);
    await expect(run({ cluster: world.unique('none') })).rejects.toMatchObject({ name: 'ClusterNotFoundException' });
  });

  claim('RunTask', 'of a task definition that is not there is refused', async (world) => {
    const { run } = await fleet(world, { isUsed: false });
    await expect(run({ taskDefinition: world.unique('none') })).rejects.toMatchObject({ name: 'ClientException' });
  });

  claim('RunTask', 'more than ten at once are refused', async (world) => {
    const { run } = await fleet(world);
    await expect(run({ count: 11 })).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });

  claim('RunTask', 'overrides of more than 8,192 characters are refused', async (world) => {
    const { run } = await fleet(world);
    const environment = [{ name: 'A', value: 'x'.repeat(8192) }];
    const call = run({ overrides: { containerOverrides: [{ name: 'agent', environment }] } });
    await expect(call).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });

  claim('ListTasks', 'finds tasks by who started them', async (world) => {
    const { run, list } = await fleet(world);
    const { tasks } = await run({ startedBy: 'a' });
    await run({ startedBy: 'b' });
    expect(await list({ startedBy: 'a' })).toEqual([tasks![0]!.taskArn]);
  });

  claim('ListTasks', 'a stopped task is in the list of stopped ones', async (world) => {
    const { ecs, cluster, run, list } = await fleet(world);
    const { tasks } = await run();
    await world.after(500);
    await ecs.send(new StopTaskCommand({ cluster, task: tasks![0]!.taskArn, reason: 'enough' }));
    await world.after(500);
    expect(await list()).toEqual([]);
    expect(await list({ desiredStatus: 'STOPPED' })).toEqual([tasks![0]!.taskArn]);
  });

  claim('StopTask', 'wants it stopped, and tells why', async (world) => {
    const { ecs, cluster, run, describeTask } = await fleet(world);
    const { tasks } = await run();
    await world.after(500);
    await ecs.send(new StopTaskCommand({ cluster, task: tasks![0]!.taskArn, reason: 'enough' }));
    expect(await describeTask(tasks![0]!.taskArn)).toMatchObject({
      desiredStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'enough',
    });
  });

  claim('StopTask', 'of a task that is not there is refused', async (world) => {
    const { ecs, cluster } = await fleet(world, { isUsed: false });
    const call = ecs.send(new StopTaskCommand({ cluster, task: '0'.repeat(32) }));
    await expect(call).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });

  claim('DescribeTasks', 'a task that is not there is a failure, not an error', async (world) => {
    const { ecs, cluster } = await fleet(world, { isUsed: false });
    const answer = await ecs.send(new DescribeTasksCommand({ cluster, tasks: ['0'.repeat(32)] }));
    expect(answer.tasks).toEqual([]);
    expect(answer.failures).toMatchObject([{ reason: 'MISSING' }]);
  });

  claim('DescribeTasks', 'a task gets as far as RUNNING, with rising versions', async (world) => {
    const { run, describeTask } = await fleet(world);
    const { tasks } = await run();
    await world.after(2000);
    const task = await describeTask(tasks![0]!.taskArn);
    expect(task).toMatchObject({ lastStatus: 'RUNNING', desiredStatus: 'RUNNING', startedAt: expect.any(Date) });
    expect(task!.version).toBeGreaterThan(tasks![0]!.version ?? 0);
  });
});
