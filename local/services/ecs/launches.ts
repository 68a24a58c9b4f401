import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { AwsError } from '../../errors.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import type { LaunchRequest } from './run-task.ts';
import type { StoredTask } from './task.ts';
import type { TaskDefinition } from './task-definitions.ts';
import type { Input } from './validation.ts';

const dayMs = 24 * 3_600_000;

export interface LaunchFailure {
  arn?: string;
  reason: string;
  detail?: string;
}

interface StoredLaunch {
  parameters: string;
  createdAtMs: number;
  taskIds: string[];
  failures: LaunchFailure[];
}

/** What earlier RunTask calls with a client token did: remembered for the shorter of a day and an hour after their tasks stopped. */
export class Launches {
  private readonly environment: Environment;
  private readonly stored: StoredMap<StoredLaunch>;

  constructor(environment: Environment) {
    this.environment = environment;
    this.stored = environment.store.map('ecs-launches');
  }

  /** @param isKept tells whether a task is still remembered. @throws AwsError ConflictException for other parameters. */
  find(
    clusterArn: string,
    token: string,
    input: Input,
    tasks: Map<string, StoredTask> | StoredMap<StoredTask>,
  ): StoredLaunch | undefined {
    const key = `${clusterArn}/${token}`;
    const launch = this.stored.get(key);
    if (!launch) return undefined;
    const isOver = launch.createdAtMs + dayMs < this.environment.clock.now();
    const isForgotten = launch.taskIds.length > 0 && !launch.taskIds.some((id) => tasks.has(id));
    if (isOver || isForgotten) {
      this.stored.delete(key);
      return undefined;
    }
    if (launch.parameters !== digest(input)) {
      const resourceIds = launch.taskIds.map((id) => `${clusterArn.replace(':cluster/', ':task/')}/${id}`);
      throw new AwsError('ConflictException', 'The specified client token was used with other parameters.', 400, {
        resourceIds,
      });
    }
    return launch;
  }

  remember(clusterArn: string, token: string, input: Input, taskIds: string[], failures: LaunchFailure[]): void {
    const createdAtMs = this.environment.clock.now();
    // The oldest come first.
    for (const [key, launch] of this.stored.entries()) {
      if (launch.createdAtMs + dayMs >= createdAtMs) break;
      this.stored.delete(key);
    }
    this.stored.set(`${clusterArn}/${token}`, { parameters: digest(input), createdAtMs, taskIds, failures });
  }
}

function digest(input: Input): string {
  const ordered = (_key: string, value: unknown) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return createHash('sha256').update(JSON.stringify(input, ordered)).digest('hex');
}

/** A task in its first state. */
export function newTask(
  environment: Environment,
  clusterArn: string,
  definition: TaskDefinition,
  request: LaunchRequest,
): StoredTask {
  const { region, accountId, clock } = environment;
  const id = randomBytes(16).toString('hex');
  const clusterName = clusterArn.slice(clusterArn.lastIndexOf('/') + 1);
  const now = clock.now();
  const container = (name: string) => `arn:aws:ecs:${region}:${accountId}:container/${clusterName}/${id}/${name}`;
  return {
    id,
    taskArn: `arn:aws:ecs:${region}:${accountId}:task/${clusterName}/${id}`,
    clusterArn,
    taskDefinitionArn: definition.taskDefinitionArn,
    group: request.group,
    startedBy: request.startedBy,
    launchType: request.launchType,
    capacityProviderName: request.capacityProviderName,
    availabilityZone: `${region}a`,
    cpu: request.overrides.cpu ?? definition.cpu,
    memory: request.overrides.memory ?? definition.memory,
    overrides: request.overrides,
    tags: request.tags,
    attachmentId: randomUUID(),
    networkInterfaceId: `eni-${id.slice(0, 17)}`,
    privateAddress: `10.0.${randomInt(0, 255)}.${randomInt(4, 255)}`,
    subnetId: request.subnets[0] ?? '',
    enableExecuteCommand: request.enableExecuteCommand,
    lastStatus: 'PROVISIONING',
    desiredStatus: 'RUNNING',
    version: 1,
    containers: definition.containerDefinitions.map(({ name, image, cpu }) => ({
      name,
      containerArn: container(randomUUID()),
      image,
      runtimeId: `${id}-${randomInt(1_000_000_000)}`,
      lastStatus: 'PENDING',
      cpu: String(cpu ?? 0),
    })),
    createdAt: now,
    updatedAt: now,
    secretToken: randomBytes(24).toString('base64url'),
  };
}
