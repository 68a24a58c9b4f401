/** States of a task, in the order in which it passes them. */
export type TaskStatus =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED';

export interface Tag {
  key: string;
  value: string;
}

export interface ContainerOverride {
  name: string;
  command?: string[];
  environment?: { name: string; value: string }[];
  cpu?: number;
  memory?: number;
  memoryReservation?: number;
}

export interface TaskOverride {
  containerOverrides?: ContainerOverride[];
  cpu?: string;
  memory?: string;
  executionRoleArn?: string;
  taskRoleArn?: string;
  ephemeralStorage?: { sizeInGiB: number };
}

export interface StoredContainer {
  name: string;
  containerArn: string;
  image: string;
  runtimeId: string;
  lastStatus: 'PENDING' | 'RUNNING' | 'STOPPED';
  exitCode?: number;
  reason?: string;
  cpu: string;
}

/** A task as the service remembers it. Times are milliseconds since the epoch. */
export interface StoredTask {
  id: string;
  taskArn: string;
  clusterArn: string;
  taskDefinitionArn: string;
  group: string;
  startedBy?: string;
  launchType: string;
  capacityProviderName?: string;
  availabilityZone: string;
  cpu: string;
  memory: string;
  overrides: TaskOverride;
  tags: Tag[];
  attachmentId: string;
  networkInterfaceId: string;
  privateAddress: string;
  subnetId: string;
  enableExecuteCommand: boolean;
  lastStatus: TaskStatus;
  desiredStatus: 'RUNNING' | 'STOPPED';
  version: number;
  containers: StoredContainer[];
  stopCode?: string;
  stoppedReason?: string;
  createdAt: number;
  pullStartedAt?: number;
  pullStoppedAt?: number;
  startedAt?: number;
  connectivityAt?: number;
  stoppingAt?: number;
  executionStoppedAt?: number;
  stoppedAt?: number;
  updatedAt: number;
  /** Part of the URLs of its credentials and metadata; only the task knows it. */
  secretToken: string;
}

const timeNames = [
  'createdAt',
  'pullStartedAt',
  'pullStoppedAt',
  'startedAt',
  'connectivityAt',
  'stoppingAt',
  'executionStoppedAt',
  'stoppedAt',
] as const;

/** A task as the API shows it: times are seconds since the epoch. */
export function apiTask(task: StoredTask, includeTags: boolean): Record<string, unknown> {
  return {
    ...shown(task, (ms) => ms / 1000),
    enableExecuteCommand: task.enableExecuteCommand,
    tags: includeTags ? task.tags : [],
  };
}

/** The `detail` of an "ECS Task State Change": times are ISO strings, and it has no tags. */
export function eventDetail(task: StoredTask): Record<string, unknown> {
  const iso = (ms: number) => new Date(ms).toISOString();
  return { ...shown(task, iso), updatedAt: iso(task.updatedAt) };
}

function shown(task: StoredTask, time: (ms: number) => unknown): Record<string, unknown> {
  const times: Record<string, unknown> = {};
  for (const name of timeNames) if (task[name] !== undefined) times[name] = time(task[name]);
  const address = { attachmentId: task.attachmentId, privateIpv4Address: task.privateAddress };
  const isDetached = task.lastStatus === 'STOPPED' || task.lastStatus === 'DEPROVISIONING';
  return {
    attachments: [
      {
        id: task.attachmentId,
        type: 'eni',
        status: isDetached ? 'DELETED' : task.lastStatus === 'PROVISIONING' ? 'PRECREATED' : 'ATTACHED',
        details: [
          { name: 'subnetId', value: task.subnetId },
          { name: 'networkInterfaceId', value: task.networkInterfaceId },
          { name: 'privateIPv4Address', value: task.privateAddress },
        ],
      },
    ],
    availabilityZone: task.availabilityZone,
    capacityProviderName: task.capacityProviderName,
    clusterArn: task.clusterArn,
    connectivity: task.connectivityAt === undefined ? undefined : 'CONNECTED',
    containers: task.containers.map((container) => ({
      ...container,
      taskArn: task.taskArn,
      networkInterfaces: [address],
    })),
    cpu: task.cpu,
    desiredStatus: task.desiredStatus,
    group: task.group,
    lastStatus: task.lastStatus,
    launchType: task.launchType,
    memory: task.memory,
    overrides: { containerOverrides: [], ...task.overrides },
    platformFamily: 'Linux',
    platformVersion: '1.4.0',
    startedBy: task.startedBy,
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    taskArn: task.taskArn,
    taskDefinitionArn: task.taskDefinitionArn,
    version: task.version,
    ...times,
  };
}
