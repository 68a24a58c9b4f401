import type { StartingTask } from '../../iam/service-access.ts';
import type { Environment } from '../../service.ts';
import { type ContainerRun, StartFailure, type TaskRun } from './container-runner.ts';
import { endpointPrefix } from './endpoints.ts';
import type { StoredTask } from './task.ts';
import type { ContainerDefinition, TaskDefinition } from './task-definitions.ts';

/** ECS's default between SIGTERM and SIGKILL. */
const defaultStopTimeoutSeconds = 30;

/** Reads a secret by the ARN (with JSON key, stage and version) or parameter that a container names. */
export type ReadSecret = (valueFrom: string) => Promise<string>;

/** What ECS needs the roles of a task for. @throws Error that says what they do not allow */
export type CheckRoles = (task: StartingTask) => void;

/** Puts a task's definition, overrides and secrets together. @throws StartFailure when a secret can't be read. */
export async function taskRun(
  environment: Environment,
  task: StoredTask,
  definition: TaskDefinition,
  readSecret: ReadSecret,
  checkRoles: CheckRoles = () => {},
): Promise<TaskRun> {
  try {
    checkRoles(startingTask(environment, task, definition));
  } catch (error) {
    throw new StartFailure(`ResourceInitializationError: ${error instanceof Error ? error.message : String(error)}`);
  }
  const containers: ContainerRun[] = [];
  for (const container of definition.containerDefinitions) {
    const override = task.overrides.containerOverrides?.find((one) => one.name === container.name);
    const variables: Record<string, string> = {};
    for (const { name, value } of container.environment ?? []) variables[name] = value;
    for (const { name, value } of override?.environment ?? []) variables[name] = value;
    Object.assign(variables, await secrets(container, readSecret));
    Object.assign(variables, awsVariables(environment, task, definition));
    containers.push({
      name: container.name,
      image: container.image,
      essential: container.essential ?? true,
      entryPoint: container.entryPoint,
      command: override?.command ?? container.command,
      environment: variables,
      definition: container,
      stopTimeoutSeconds: container.stopTimeout ?? defaultStopTimeoutSeconds,
    });
  }
  return {
    taskId: task.id,
    taskArn: task.taskArn,
    startedBy: task.startedBy,
    taskRoleArn: task.overrides.taskRoleArn ?? definition.taskRoleArn,
    createdAtMs: task.createdAt,
    containers,
    volumes: definition.volumes.map((volume) => volume.name),
  };
}

function startingTask(environment: Environment, task: StoredTask, definition: TaskDefinition): StartingTask {
  const { region, accountId } = environment;
  const { overrides } = task;
  const containers = definition.containerDefinitions;
  const logGroups = containers.flatMap((container) => container.logConfiguration?.options?.['awslogs-group'] ?? []);
  return {
    taskArn: task.taskArn,
    executionRoleArn: overrides.executionRoleArn ?? definition.executionRoleArn,
    taskRoleArn: overrides.taskRoleArn ?? definition.taskRoleArn,
    images: containers.map((container) => container.image),
    logGroupArns: logGroups.map((group) => `arn:aws:logs:${region}:${accountId}:log-group:${group}`),
    secretArns: containers
      .flatMap((container) => container.secrets ?? [])
      .map(({ valueFrom }) =>
        valueFrom.startsWith('arn:')
          ? valueFrom.split(':').slice(0, 7).join(':')
          : `arn:aws:ssm:${region}:${accountId}:parameter/${valueFrom.replace(/^\//, '')}`,
      ),
  };
}

async function secrets(container: ContainerDefinition, readSecret: ReadSecret): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const { name, valueFrom } of container.secrets ?? []) {
    try {
      variables[name] = await readSecret(valueFrom);
    } catch (error) {
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new StartFailure(
        `ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from ${valueFrom}: ${detail}`,
      );
    }
  }
  return variables;
}

function awsVariables(environment: Environment, task: StoredTask, definition: TaskDefinition): Record<string, string> {
  const endpoint = environment.endpoint();
  const variables: Record<string, string> = {
    AWS_REGION: environment.region,
    AWS_DEFAULT_REGION: environment.region,
    AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
  };
  if (!endpoint) return variables;
  variables.AWS_ENDPOINT_URL = endpoint;
  variables.ECS_CONTAINER_METADATA_URI_V4 = `${endpoint}${endpointPrefix}metadata/${task.secretToken}`;
  if (task.overrides.taskRoleArn ?? definition.taskRoleArn)
    variables.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${endpoint}${endpointPrefix}credentials/${task.secretToken}`;
  return variables;
}
