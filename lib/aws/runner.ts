import {
  ClientException,
  ConflictException,
  DescribeTasksCommand,
  type ECSClient,
  InvalidParameterException,
  ListTasksCommand,
  PlatformTaskDefinitionIncompatibilityException,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
  UnsupportedFeatureException,
} from '@aws-sdk/client-ecs';
import type { Observation, OwnedRuntime, Page, Runner, RunningTask, Runtime } from '../app/ports.ts';
import { ecsTags, ownerTags } from './tags.ts';

export interface RunnerConfig {
  cluster: string;
  subnets: readonly string[];
  securityGroups: readonly string[];
  assignPublicIp: 'ENABLED' | 'DISABLED';
  apiUrl: string;
}

export const containerName = 'agent';

const providers = { 'on-demand': 'FARGATE', spot: 'FARGATE_SPOT' } as const;

/** ECS Fargate. Launching with the same runtime twice is launching once, for as long as ECS remembers the token. */
export class EcsRunner implements Runner {
  private readonly client: ECSClient;
  private readonly config: RunnerConfig;

  constructor(client: ECSClient, config: RunnerConfig) {
    this.client = client;
    this.config = config;
  }

  async launch(runtime: Runtime): ReturnType<Runner['launch']> {
    try {
      const answer = await this.client.send(new RunTaskCommand(this.parameters(runtime)));
      const taskArn = answer.tasks?.[0]?.taskArn;
      if (taskArn) return { taskArn };
      // 200 with failures[]: no capacity, no network interface, vCPU quota (aws-facts 1.1).
      const failure = answer.failures?.[0];
      const reason =
        [failure?.reason, failure?.detail].filter(Boolean).join(': ') || 'ECS started no task and gave no reason';
      return { refused: { reason, ours: true } };
    } catch (error) {
      if (error instanceof ConflictException && error.resourceIds?.[0]) return { taskArn: error.resourceIds[0] };
      if (isRefusal(error)) return { refused: { reason: error.message, ours: /limit|capacity/i.test(error.message) } };
      throw error;
    }
  }

  private parameters(runtime: Runtime) {
    const { cluster, subnets, securityGroups, assignPublicIp, apiUrl } = this.config;
    const environment = Object.entries({
      ROUSE_API_URL: apiUrl,
      ROUSE_TENANT: runtime.tenant,
      // A standby learns whose it is when it is taken over.
      ...(runtime.agentId === undefined ? {} : { ROUSE_AGENT_ID: runtime.agentId }),
      ROUSE_RUNTIME_ID: runtime.id,
    }).map(([name, value]) => ({ name, value }));
    return {
      cluster,
      taskDefinition: runtime.taskDefinitionArn,
      count: 1,
      capacityProviderStrategy: [{ capacityProvider: providers[runtime.capacity], weight: 1 }],
      networkConfiguration: {
        awsvpcConfiguration: { subnets: [...subnets], securityGroups: [...securityGroups], assignPublicIp },
      },
      overrides: { containerOverrides: [{ name: containerName, environment }] },
      // The definition's say which deployment, tenant and template it is of; a standby's own would say the same.
      propagateTags: 'TASK_DEFINITION' as const,
      ...(runtime.pool === undefined && { tags: ecsTags(ownerTags(runtime)) }),
      clientToken: runtime.id,
      startedBy: startedBy(runtime),
    };
  }

  async describe(taskArn: string): Promise<Observation | 'missing'> {
    const answer = await this.client.send(new DescribeTasksCommand({ cluster: this.config.cluster, tasks: [taskArn] }));
    const task = answer.tasks?.[0];
    if (task) return toObservation(task);
    if (answer.failures?.some((failure) => failure.reason === 'MISSING')) return 'missing';
    throw new Error(`ECS answered neither with the task ${taskArn} nor that it is missing.`);
  }

  async find(runtime: OwnedRuntime): Promise<string[]> {
    const found = await Promise.all(
      (['RUNNING', 'STOPPED'] as const).map((desiredStatus) =>
        this.client.send(
          new ListTasksCommand({ cluster: this.config.cluster, startedBy: startedBy(runtime), desiredStatus }),
        ),
      ),
    );
    return found.flatMap((answer) => answer.taskArns ?? []);
  }

  async list(cursor: string | undefined): Promise<Page<RunningTask>> {
    const { cluster } = this.config;
    const page = new ListTasksCommand({ cluster, maxResults: tasksPerPage, nextToken: cursor });
    const { taskArns = [], nextToken } = await this.client.send(page).catch((error: unknown) => {
      if (cursor === undefined || !(error instanceof InvalidParameterException)) throw error;
      // Nothing is said of how long a token lives: from the start, then.
      return this.client.send(new ListTasksCommand({ cluster, maxResults: tasksPerPage }));
    });
    return { items: await this.running(taskArns), next: nextToken };
  }

  async running(taskArns: string[]): Promise<RunningTask[]> {
    const found: RunningTask[] = [];
    for (let i = 0; i < taskArns.length; i += tasksPerPage) {
      const tasks = taskArns.slice(i, i + tasksPerPage);
      const answer = await this.client.send(new DescribeTasksCommand({ cluster: this.config.cluster, tasks }));
      found.push(...(answer.tasks ?? []).filter((task) => task.lastStatus !== 'STOPPED').map(toRunning));
    }
    return found;
  }

  async stop(taskArn: string, reason: string): Promise<void> {
    try {
      await this.client.send(
        new StopTaskCommand({ cluster: this.config.cluster, task: taskArn, reason: reason.slice(0, 255) }),
      );
    } catch (error) {
      // Stopping what ECS has forgotten is done already.
      if (error instanceof InvalidParameterException && /not found/i.test(error.message)) return;
      throw error;
    }
  }
}

/** ECS gives a hundred at a time (aws-facts 1.1). */
const tasksPerPage = 100;

/** What a task was started for, as ECS shows it: its tenant, its agent or `pool`, its runtime. */
export function startedBy(runtime: OwnedRuntime): string {
  // What ECS was told stays as it is, whoever takes a standby over.
  return `${runtime.tenant}/${runtime.pool === undefined ? runtime.agentId : 'pool'}/${runtime.id}`;
}

/** The runtime that a task was started for; its row says whose it is. */
export function runtimeOf(startedBy: string | undefined): { tenant: string; runtimeId: string } | undefined {
  const [tenant, owner, runtimeId, ...more] = startedBy?.split('/') ?? [];
  return tenant && owner && runtimeId && more.length === 0 ? { tenant, runtimeId } : undefined;
}

function toRunning(task: Task): RunningTask {
  return {
    taskArn: task.taskArn ?? '',
    startedBy: task.startedBy,
    runtime: runtimeOf(task.startedBy),
    isOfService: task.group?.startsWith('service:') ?? false,
    startedMs: task.createdAt?.getTime() ?? 0,
  };
}

/** What ECS says of a task, from its API or from an event (where times are text). */
export type EcsTask = Pick<
  Task,
  'taskArn' | 'version' | 'lastStatus' | 'desiredStatus' | 'stopCode' | 'stoppedReason' | 'containers'
> & {
  executionStoppedAt?: unknown;
  pullStartedAt?: unknown;
  pullStoppedAt?: unknown;
};

export function toObservation(task: EcsTask): Observation {
  const agent = task.containers?.find((container) => container.name === containerName);
  return {
    taskArn: task.taskArn ?? '',
    version: Number(task.version ?? 0),
    lastStatus: task.lastStatus ?? 'UNKNOWN',
    desiredStatus: task.desiredStatus ?? 'UNKNOWN',
    stopCode: task.stopCode,
    stoppedReason: [task.stoppedReason, agent?.reason].filter(Boolean).join('; ') || undefined,
    exitCode: agent?.exitCode,
    executionStopped: task.executionStoppedAt !== undefined || task.lastStatus === 'STOPPED',
    pulling: task.pullStartedAt !== undefined && task.pullStoppedAt === undefined && task.lastStatus !== 'STOPPED',
  };
}

function isRefusal(error: unknown): error is Error {
  return (
    error instanceof ClientException ||
    error instanceof InvalidParameterException ||
    error instanceof PlatformTaskDefinitionIncompatibilityException ||
    error instanceof UnsupportedFeatureException
  );
}
