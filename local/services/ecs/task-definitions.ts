import { AwsError } from '../../errors.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import type { Tag } from './task.ts';
import {
  clientError,
  type Input,
  invalid,
  known,
  list,
  text,
  validateFargateSize,
  validateTags,
} from './validation.ts';

export interface ContainerDefinition {
  name: string;
  image: string;
  essential?: boolean;
  command?: string[];
  entryPoint?: string[];
  environment?: { name: string; value: string }[];
  secrets?: { name: string; valueFrom: string }[];
  dependsOn?: { containerName: string; condition: 'START' | 'COMPLETE' | 'SUCCESS' | 'HEALTHY' }[];
  mountPoints?: { sourceVolume: string; containerPath: string; readOnly?: boolean }[];
  logConfiguration?: { logDriver: string; options?: Record<string, string> };
  stopTimeout?: number;
  user?: string;
  workingDirectory?: string;
  cpu?: number;
  memory?: number;
  memoryReservation?: number;
}

export interface TaskDefinition {
  taskDefinitionArn: string;
  family: string;
  revision: number;
  status: 'ACTIVE' | 'INACTIVE';
  containerDefinitions: ContainerDefinition[];
  cpu: string;
  memory: string;
  networkMode: string;
  requiresCompatibilities: string[];
  executionRoleArn?: string;
  taskRoleArn?: string;
  volumes: { name: string }[];
  runtimePlatform?: Record<string, string>;
  ephemeralStorage?: { sizeInGiB: number };
  registeredAt: number;
  deregisteredAt?: number;
  tags: Tag[];
}

const parameters = [
  ...['family', 'taskRoleArn', 'executionRoleArn', 'networkMode', 'containerDefinitions', 'volumes'],
  ...['requiresCompatibilities', 'cpu', 'memory', 'tags', 'ephemeralStorage', 'runtimePlatform'],
];
const containerParameters = [
  ...['name', 'image', 'essential', 'command', 'entryPoint', 'environment', 'secrets', 'dependsOn', 'mountPoints'],
  ...['logConfiguration', 'stopTimeout', 'user', 'workingDirectory', 'cpu', 'memory', 'memoryReservation'],
  ...['portMappings', 'volumesFrom', 'linuxParameters', 'readonlyRootFilesystem', 'dockerLabels', 'ulimits'],
];
const maxContainers = 10;

/** The task definitions of the account, by family and revision. */
export class TaskDefinitions {
  private readonly environment: Environment;
  private readonly stored: StoredMap<TaskDefinition>;
  private readonly revisions: StoredMap<number>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.stored = environment.store.map('ecs-task-definitions');
    this.revisions = environment.store.map('ecs-revisions');
  }

  register(input: Input): TaskDefinition {
    known('RegisterTaskDefinition', input, parameters);
    const family = text(input, 'family');
    if (!family || !/^[A-Za-z0-9_-]{1,255}$/.test(family))
      throw clientError(
        `Family must be 1 to 255 letters, numbers, hyphens or underscores, received ${family ?? 'none'}.`,
      );
    const containers = list<ContainerDefinition>(input, 'containerDefinitions');
    const volumes = list<{ name: string }>(input, 'volumes');
    const executionRoleArn = text(input, 'executionRoleArn');
    validateContainers(containers, volumes, executionRoleArn);
    const compatibilities = list<string>(input, 'requiresCompatibilities');
    const networkMode = text(input, 'networkMode') ?? 'bridge';
    if (compatibilities.includes('FARGATE')) {
      validateFargateSize(text(input, 'cpu'), text(input, 'memory'));
      if (networkMode !== 'awsvpc')
        throw clientError(`Fargate only supports network mode 'awsvpc', received '${networkMode}'.`);
    }
    const tags = list<Tag>(input, 'tags');
    validateTags(tags);
    const revision = (this.revisions.get(family) ?? 0) + 1;
    this.revisions.set(family, revision);
    const { region, accountId, clock } = this.environment;
    const definition: TaskDefinition = {
      taskDefinitionArn: `arn:aws:ecs:${region}:${accountId}:task-definition/${family}:${revision}`,
      family,
      revision,
      status: 'ACTIVE',
      containerDefinitions: containers,
      cpu: text(input, 'cpu') ?? '256',
      memory: text(input, 'memory') ?? '512',
      networkMode,
      requiresCompatibilities: compatibilities,
      executionRoleArn,
      taskRoleArn: text(input, 'taskRoleArn'),
      volumes,
      runtimePlatform: input.runtimePlatform as Record<string, string> | undefined,
      ephemeralStorage: input.ephemeralStorage as { sizeInGiB: number } | undefined,
      registeredAt: clock.now() / 1000,
      tags,
    };
    this.stored.set(`${family}:${revision}`, definition);
    return definition;
  }

  /** By ARN, `family:revision`, or `family` for its latest active revision. @throws AwsError when there is none. */
  /** By ARN, `family:revision`, or family (the latest one); undefined when there is none. */
  lookUp(name: string): TaskDefinition | undefined {
    const key = name.slice(name.lastIndexOf('/') + 1);
    return key.includes(':') ? this.stored.get(key) : this.latest(key);
  }

  find(name: string, message = 'Unable to describe task definition.'): TaskDefinition {
    const definition = this.lookUp(name);
    if (!definition) throw clientError(message);
    return definition;
  }

  deregister(name: string): TaskDefinition {
    if (!name.includes(':')) throw clientError('Task definition revision must be specified.');
    const definition = this.find(name);
    definition.status = 'INACTIVE';
    definition.deregisteredAt = this.environment.clock.now() / 1000;
    this.save(definition);
    return definition;
  }

  save(definition: TaskDefinition): void {
    this.stored.set(`${definition.family}:${definition.revision}`, definition);
  }

  private latest(family: string): TaskDefinition | undefined {
    for (let revision = this.revisions.get(family) ?? 0; revision > 0; revision--) {
      const definition = this.stored.get(`${family}:${revision}`);
      if (definition?.status === 'ACTIVE') return definition;
    }
    return undefined;
  }
}

function validateContainers(
  containers: ContainerDefinition[],
  volumes: { name: string }[],
  executionRoleArn: string | undefined,
): void {
  if (containers.length === 0) throw clientError('TaskDefinition must contain at least one container definition.');
  if (containers.length > maxContainers)
    throw clientError(`TaskDefinition can have at most ${maxContainers} containers, received ${containers.length}.`);
  const names = new Set(containers.map((container) => container.name));
  if (names.size < containers.length) throw clientError('Container names must be unique.');
  if (containers.every((container) => container.essential === false))
    throw clientError('At least one container must be essential.');
  for (const container of containers) {
    known('RegisterTaskDefinition.containerDefinitions', container as unknown as Input, containerParameters);
    if (!/^[A-Za-z0-9_-]{1,255}$/.test(container.name ?? ''))
      throw clientError(`Invalid container name: ${container.name}.`);
    if (!container.image) throw clientError('Container.image should not be null or empty.');
    validateReferences(container, names, volumes);
    const timeout = container.stopTimeout;
    if (timeout !== undefined && (timeout < 2 || timeout > 120))
      throw clientError(`Container stopTimeout must be from 2 to 120 seconds on Fargate, received ${timeout}.`);
    const needsRole = container.logConfiguration?.logDriver === 'awslogs' || (container.secrets?.length ?? 0) > 0;
    if (needsRole && !executionRoleArn)
      throw clientError(
        container.secrets?.length
          ? "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
          : 'Fargate requires task definition to have execution role ARN to support log driver awslogs.',
      );
  }
}

function validateReferences(container: ContainerDefinition, names: Set<string>, volumes: { name: string }[]): void {
  for (const { containerName, condition } of container.dependsOn ?? []) {
    if (!names.has(containerName)) throw clientError(`dependsOn names the unknown container ${containerName}.`);
    if (!['START', 'COMPLETE', 'SUCCESS'].includes(condition))
      throw new AwsError(
        'NotEmulated',
        `The embedded AWS does not know the dependency condition ${condition} of ECS.`,
        501,
      );
  }
  for (const { sourceVolume } of container.mountPoints ?? []) {
    if (!volumes.some((volume) => volume.name === sourceVolume)) throw clientError(`Unknown volume '${sourceVolume}'.`);
  }
  for (const variable of container.environment ?? []) {
    if (typeof variable.name !== 'string' || typeof variable.value !== 'string')
      throw invalid(`environment of ${container.name} must have names and values that are strings.`);
  }
}
