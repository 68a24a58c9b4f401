import {
  CreateClusterCommand,
  DeleteClusterCommand,
  DeregisterTaskDefinitionCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';

/** Nobody listens there: whoever starts containers can't have pulled it. */
const nowhere = '127.0.0.1:9/nobody/nothing:1';

/** Whether a server's ECS starts containers: one that calls a task RUNNING whose image is nowhere does not. */
export async function startsContainers(ecs: ECSClient): Promise<boolean> {
  const name = `rouse-detection-${Date.now().toString(36)}`;
  const { cluster } = await ecs.send(new CreateClusterCommand({ clusterName: name }));
  const { taskDefinition } = await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: name,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'nothing', image: nowhere }],
    }),
  );
  const { tasks } = await ecs.send(
    new RunTaskCommand({
      cluster: name,
      taskDefinition: taskDefinition!.taskDefinitionArn,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-00000000'] } },
    }),
  );
  const task = tasks![0]!;
  await ecs.send(new StopTaskCommand({ cluster: name, task: task.taskArn }));
  await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: taskDefinition!.taskDefinitionArn }));
  await ecs.send(new DeleteClusterCommand({ cluster: cluster!.clusterArn }));
  return task.lastStatus !== 'RUNNING';
}
