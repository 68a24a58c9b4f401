import { AwsError } from '../../errors.ts';
import type { Tag, TaskOverride } from './task.ts';
import type { TaskDefinition } from './task-definitions.ts';
import { type Input, invalid, known, list, text, validateFargateSize, validateTags } from './validation.ts';

/** RunTask's parameters, checked. */
export interface LaunchRequest {
  count: number;
  clientToken: string | undefined;
  startedBy: string | undefined;
  group: string;
  launchType: string;
  capacityProviderName: string | undefined;
  overrides: TaskOverride;
  subnets: string[];
  tags: Tag[];
  enableExecuteCommand: boolean;
}

const parameters = [
  ...['cluster', 'taskDefinition', 'count', 'clientToken', 'startedBy', 'group', 'launchType', 'overrides', 'tags'],
  ...['capacityProviderStrategy', 'networkConfiguration', 'enableExecuteCommand', 'propagateTags', 'platformVersion'],
  ...['enableECSManagedTags', 'referenceId'],
];
const overrideParameters = [
  'containerOverrides',
  'cpu',
  'memory',
  'executionRoleArn',
  'taskRoleArn',
  'ephemeralStorage',
];
const containerOverrideParameters = ['name', 'command', 'environment', 'cpu', 'memory', 'memoryReservation'];

/** Characters of the overrides' JSON that ECS takes. */
const maxOverridesLength = 8192;

/** @throws AwsError as RunTask does. */
export function validateRunTask(input: Input, definition: TaskDefinition, capacityProviders: string[]): LaunchRequest {
  known('RunTask', input, parameters);
  const count = input.count === undefined ? 1 : Number(input.count);
  if (!Number.isInteger(count) || count < 1 || count > 10) throw invalid('Count must be between 1 and 10.');
  const clientToken = text(input, 'clientToken');
  if (clientToken !== undefined && !/^[\x21-\x7e]{1,64}$/.test(clientToken))
    throw invalid('clientToken must be 1 to 64 characters in the range of 33-126.');
  const startedBy = text(input, 'startedBy');
  if (startedBy !== undefined && !/^[A-Za-z0-9/_-]{1,128}$/.test(startedBy))
    throw invalid('startedBy must be 1 to 128 letters, numbers, hyphens, forward slashes or underscores.');
  const tags = list<Tag>(input, 'tags');
  validateTags(tags);
  const propagate = text(input, 'propagateTags');
  if (propagate !== undefined && propagate !== 'TASK_DEFINITION' && propagate !== 'NONE')
    throw invalid(`propagateTags must be TASK_DEFINITION, received ${propagate}.`);
  return {
    count,
    clientToken,
    startedBy,
    group: text(input, 'group') ?? `family:${definition.family}`,
    ...launchCapacity(input, capacityProviders),
    overrides: validateOverrides(input, definition),
    subnets: validateNetwork(input, definition),
    tags: propagate === 'TASK_DEFINITION' ? [...definition.tags, ...tags] : tags,
    enableExecuteCommand: input.enableExecuteCommand === true,
  };
}

function launchCapacity(input: Input, providers: string[]) {
  const launchType = text(input, 'launchType');
  const strategy = list<{ capacityProvider: string; weight?: number; base?: number }>(
    input,
    'capacityProviderStrategy',
  );
  if (launchType !== undefined && strategy.length > 0)
    throw invalid(
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    );
  if (strategy.length === 0) {
    if (launchType !== undefined && launchType !== 'FARGATE')
      throw new AwsError('NotEmulated', `The embedded AWS does not know launch type ${launchType} of ECS.`, 501);
    return { launchType: 'FARGATE', capacityProviderName: undefined };
  }
  if (strategy.length > 20) throw invalid('A capacity provider strategy can have at most 20 items.');
  for (const { capacityProvider } of strategy) {
    if (!providers.includes(capacityProvider))
      throw invalid(
        'The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster.',
      );
  }
  const chosen = strategy.toSorted((a, b) => (b.base ?? 0) - (a.base ?? 0) || (b.weight ?? 0) - (a.weight ?? 0))[0]!;
  if (!chosen.base && !chosen.weight)
    throw invalid(
      'The specified capacity provider strategy must have at least one provider with a weight greater than 0.',
    );
  return { launchType: 'FARGATE', capacityProviderName: chosen.capacityProvider };
}

function validateOverrides(input: Input, definition: TaskDefinition): TaskOverride {
  const overrides = (input.overrides ?? {}) as Input;
  known('RunTask.overrides', overrides, overrideParameters);
  const length = JSON.stringify(overrides).length;
  if (length > maxOverridesLength)
    throw invalid(`Overrides length must be at most ${maxOverridesLength}, received ${length}.`);
  for (const override of list<Input>(overrides, 'containerOverrides')) {
    known('RunTask.overrides.containerOverrides', override, containerOverrideParameters);
    if (!definition.containerDefinitions.some((container) => container.name === override.name))
      throw invalid(`Override for container named ${override.name} is not a container in the TaskDefinition.`);
  }
  const { cpu, memory } = overrides;
  if (cpu !== undefined || memory !== undefined)
    validateFargateSize(String(cpu ?? definition.cpu), String(memory ?? definition.memory));
  return overrides as TaskOverride;
}

function validateNetwork(input: Input, definition: TaskDefinition): string[] {
  if (definition.networkMode !== 'awsvpc') return [];
  const network = (input.networkConfiguration as Input | undefined)?.awsvpcConfiguration as Input | undefined;
  if (!network) throw invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  known('RunTask.networkConfiguration', network, ['subnets', 'securityGroups', 'assignPublicIp']);
  const subnets = list<string>(network, 'subnets');
  if (subnets.length === 0) throw invalid('subnets can not be empty.');
  if (subnets.length > 16) throw invalid('subnets can have at most 16 elements.');
  if (list(network, 'securityGroups').length > 5) throw invalid('securityGroups can have at most 5 elements.');
  const assign = network.assignPublicIp;
  if (assign !== undefined && assign !== 'ENABLED' && assign !== 'DISABLED')
    throw invalid(`assignPublicIp must be ENABLED or DISABLED, received ${assign}.`);
  return subnets;
}
