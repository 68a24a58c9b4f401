import { AwsError, notEmulated } from '../../errors.ts';
import type { Environment, JsonService, WireRequest, WireResponse } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import type { ContainerRunner } from './container-runner.ts';
import { TaskEndpoints } from './endpoints.ts';
import { Launches, type LaunchFailure, newTask } from './launches.ts';
import { type TaskDelays, TaskLifecycle } from './lifecycle.ts';
import { validateRunTask } from './run-task.ts';
import { apiTask, eventDetail, type StoredTask, type Tag } from './task.ts';
import { TaskDefinitions } from './task-definitions.ts';
import { type CheckRoles, type ReadSecret, taskRun } from './task-run.ts';
import { type Input, invalid, known, list, text, validateTags } from './validation.ts';

/** Stopped tasks stay visible for so long. */
const stoppedTaskMs = 3_600_000;
const maxPage = 100;

interface StoredCluster {
  clusterArn: string;
  clusterName: string;
  capacityProviders: string[];
}

export interface EcsPorts {
  runner: ContainerRunner;
  readSecret: ReadSecret;
  /** @default every role may do what ECS needs it for */
  checkRoles?: CheckRoles;
  /** To the default event bus. */
  publish(event: { source: string; detailType: string; resources: string[]; detail: unknown }): void;
  delays?: Partial<TaskDelays>;
}

type Operation = (input: Input) => unknown;

/** Amazon ECS on Fargate, as far as it runs single tasks. */
export class EcsService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'ecs';
  readonly targetPrefix = 'AmazonEC2ContainerServiceV20141113';
  readonly jsonVersion = '1.1';
  readonly definitions: TaskDefinitions;
  readonly endpoints: TaskEndpoints;
  /** Makes a launch fail as AWS does without capacity: by `failures[]` of a RunTask that succeeds. */
  launchFailure: ((input: Input) => LaunchFailure | undefined) | undefined;
  private readonly environment: Environment;
  private readonly ports: EcsPorts;
  private readonly clusters: StoredMap<StoredCluster>;
  private readonly tasks: StoredMap<StoredTask>;
  private readonly launches: Launches;
  private readonly lifecycles = new Map<string, TaskLifecycle>();
  private closed = false;

  constructor(environment: Environment, ports: EcsPorts) {
    this.environment = environment;
    this.ports = ports;
    this.definitions = new TaskDefinitions(environment);
    this.clusters = environment.store.map('ecs-clusters');
    this.tasks = environment.store.map('ecs-tasks');
    this.launches = new Launches(environment);
    this.endpoints = new TaskEndpoints({
      environment,
      task: (token) => {
        for (const task of this.tasks.values()) {
          if (task.secretToken === token && task.lastStatus !== 'STOPPED')
            return { task, definition: this.definitions.find(task.taskDefinitionArn) };
        }
        return undefined;
      },
    });
  }

  async call(operation: string, input: Input): Promise<unknown> {
    const perform = this.operations[operation];
    if (!perform) throw notEmulated('ECS', `operation ${operation}`);
    return perform(input);
  }

  /** Takes over the tasks that an earlier process ran on this store. */
  resume(): void {
    for (const task of [...this.tasks.values()]) {
      if (task.lastStatus === 'STOPPED') this.forgetLater(task);
      else this.lifecycle(task).adopt();
    }
  }

  handleEndpoint(request: WireRequest): WireResponse {
    return this.endpoints.handle(request);
  }

  /** Tasks that have not been forgotten yet, for tests. */
  allTasks(): StoredTask[] {
    return [...this.tasks.values()];
  }

  /** Fargate Spot takes the capacity of a task back: an event and SIGTERM at once, SIGKILL after the stop time-out. */
  interrupt(taskArn: string): void {
    this.lifecycles.get(idOf(taskArn))?.stop('SpotInterruption', 'Your Spot Task was interrupted.');
  }

  /** Fargate takes a host out of service: its tasks are told to stop (aws-facts 1.3). */
  retire(taskArn: string): void {
    const reason = 'ECS is performing maintenance on the underlying infrastructure hosting the task.';
    this.lifecycles.get(idOf(taskArn))?.stop('TerminationNotice', reason);
  }

  /** Ends all containers at once. */
  async close(): Promise<void> {
    this.closed = true;
    await this.ports.runner.close();
  }

  private readonly operations: Readonly<Record<string, Operation>> = {
    CreateCluster: (input) => this.createCluster(input),
    DescribeClusters: (input) => this.describeClusters(input),
    RegisterTaskDefinition: (input) => {
      const { tags, ...taskDefinition } = this.definitions.register(input);
      return { taskDefinition, tags };
    },
    DeregisterTaskDefinition: (input) => {
      known('DeregisterTaskDefinition', input, ['taskDefinition']);
      const { tags: _tags, ...taskDefinition } = this.definitions.deregister(text(input, 'taskDefinition') ?? '');
      return { taskDefinition };
    },
    DescribeTaskDefinition: (input) => {
      known('DescribeTaskDefinition', input, ['taskDefinition', 'include']);
      const { tags, ...taskDefinition } = this.definitions.find(text(input, 'taskDefinition') ?? '');
      return { taskDefinition, ...(list(input, 'include').includes('TAGS') ? { tags } : {}) };
    },
    RunTask: (input) => this.runTask(input),
    StopTask: (input) => this.stopTask(input),
    DescribeTasks: (input) => this.describeTasks(input),
    ListTasks: (input) => this.listTasks(input),
    TagResource: (input) => this.tagResource(input),
    ListTagsForResource: (input) => {
      known('ListTagsForResource', input, ['resourceArn']);
      return { tags: this.tagged(text(input, 'resourceArn') ?? '').tags };
    },
  };

  private createCluster(input: Input) {
    known('CreateCluster', input, ['clusterName', 'capacityProviders', 'settings', 'tags']);
    const clusterName = text(input, 'clusterName') ?? 'default';
    const { region, accountId } = this.environment;
    const clusterArn = `arn:aws:ecs:${region}:${accountId}:cluster/${clusterName}`;
    const cluster = { clusterArn, clusterName, capacityProviders: list<string>(input, 'capacityProviders') };
    this.clusters.set(clusterName, cluster);
    return { cluster: this.shownCluster(cluster) };
  }

  private describeClusters(input: Input) {
    known('DescribeClusters', input, ['clusters', 'include']);
    const names = list<string>(input, 'clusters');
    const clusters: unknown[] = [];
    const failures: unknown[] = [];
    for (const name of names.length > 0 ? names : ['default']) {
      const cluster = this.clusters.get(idOf(name));
      if (cluster) clusters.push(this.shownCluster(cluster));
      else failures.push({ arn: name, reason: 'MISSING' });
    }
    return { clusters, failures };
  }

  private shownCluster(cluster: StoredCluster) {
    const tasks = [...this.tasks.values()].filter((task) => task.clusterArn === cluster.clusterArn);
    const count = (matches: (task: StoredTask) => boolean) => tasks.filter(matches).length;
    return {
      ...cluster,
      status: 'ACTIVE',
      runningTasksCount: count((task) => task.lastStatus === 'RUNNING'),
      pendingTasksCount: count((task) => ['PROVISIONING', 'PENDING', 'ACTIVATING'].includes(task.lastStatus)),
      activeServicesCount: 0,
      registeredContainerInstancesCount: 0,
    };
  }

  private runTask(input: Input) {
    const cluster = this.cluster(input);
    const definition = this.definitions.find(text(input, 'taskDefinition') ?? '', 'TaskDefinition not found.');
    const request = validateRunTask(input, definition, cluster.capacityProviders);
    const token = request.clientToken;
    const earlier = token === undefined ? undefined : this.launches.find(cluster.clusterArn, token, input, this.tasks);
    if (earlier) {
      const tasks = earlier.taskIds.flatMap((id) => this.tasks.get(id) ?? []);
      return { tasks: tasks.map((task) => replayed(task)), failures: earlier.failures };
    }
    if (definition.status === 'INACTIVE') throw new AwsError('ClientException', 'TaskDefinition is inactive');
    const tasks: StoredTask[] = [];
    const failures: LaunchFailure[] = [];
    for (let index = 0; index < request.count; index++) {
      const failure = this.launchFailure?.(input);
      if (failure) failures.push(failure);
      else tasks.push(newTask(this.environment, cluster.clusterArn, definition, request));
    }
    const ids = tasks.map((task) => task.id);
    if (token !== undefined) this.launches.remember(cluster.clusterArn, token, input, ids, failures);
    const answer = { tasks: tasks.map((task) => apiTask(task, true)), failures };
    for (const task of tasks) {
      this.changed(task, true);
      this.lifecycle(task).launch();
    }
    return answer;
  }

  private stopTask(input: Input) {
    known('StopTask', input, ['cluster', 'task', 'reason']);
    const cluster = this.cluster(input);
    const task = this.tasks.get(idOf(text(input, 'task') ?? ''));
    if (!task || task.clusterArn !== cluster.clusterArn) throw invalid('The referenced task was not found.');
    this.lifecycles.get(task.id)?.stop('UserInitiated', text(input, 'reason') ?? 'Task stopped by user');
    return { task: apiTask(task, false) };
  }

  private describeTasks(input: Input) {
    known('DescribeTasks', input, ['cluster', 'tasks', 'include']);
    const cluster = this.cluster(input);
    const names = list<string>(input, 'tasks');
    if (names.length === 0) throw invalid('Tasks cannot be empty.');
    if (names.length > maxPage) throw invalid(`tasks can have at most ${maxPage} elements.`);
    const includeTags = list(input, 'include').includes('TAGS');
    const tasks: unknown[] = [];
    const failures: LaunchFailure[] = [];
    for (const name of names) {
      const task = this.tasks.get(idOf(name));
      if (task && task.clusterArn === cluster.clusterArn) tasks.push(apiTask(task, includeTags));
      else failures.push({ arn: this.taskArn(cluster, name), reason: 'MISSING' });
    }
    return { tasks, failures };
  }

  private listTasks(input: Input) {
    const filters = ['family', 'startedBy', 'desiredStatus', 'launchType'];
    known('ListTasks', input, ['cluster', 'maxResults', 'nextToken', ...filters]);
    const cluster = this.cluster(input);
    const startedBy = text(input, 'startedBy');
    const family = text(input, 'family');
    if (startedBy !== undefined && (family !== undefined || text(input, 'launchType') !== undefined))
      throw invalid('startedBy must be the only filter that is used.');
    const desired = text(input, 'desiredStatus') ?? 'RUNNING';
    const limit = Number(input.maxResults ?? maxPage);
    if (!Number.isInteger(limit) || limit < 1 || limit > maxPage) throw invalid(`maxResults must be 1 to ${maxPage}.`);
    const matching = [...this.tasks.values()].filter(
      (task) =>
        task.clusterArn === cluster.clusterArn &&
        task.desiredStatus === desired &&
        (startedBy === undefined || task.startedBy === startedBy) &&
        (family === undefined || task.taskDefinitionArn.includes(`:task-definition/${family}:`)),
    );
    const start = Number(text(input, 'nextToken') ?? 0);
    const page = matching.slice(start, start + limit);
    const next = start + limit < matching.length ? String(start + limit) : undefined;
    return { taskArns: page.map((task) => task.taskArn), ...(next ? { nextToken: next } : {}) };
  }

  private tagResource(input: Input) {
    known('TagResource', input, ['resourceArn', 'tags']);
    const resource = this.tagged(text(input, 'resourceArn') ?? '');
    const tags = list<Tag>(input, 'tags');
    const merged = [...resource.tags.filter((old) => !tags.some((tag) => tag.key === old.key)), ...tags];
    validateTags(merged);
    resource.tags = merged;
    if ('family' in resource) this.definitions.save(resource);
    else this.tasks.set(resource.id, resource);
    return {};
  }

  private tagged(arn: string) {
    if (arn.includes(':task-definition/')) return this.definitions.find(arn);
    const task = this.tasks.get(idOf(arn));
    if (!task) throw invalid('The specified resource was not found.');
    return task;
  }

  private cluster(input: Input): StoredCluster {
    const cluster = this.clusters.get(idOf(text(input, 'cluster') ?? 'default'));
    if (!cluster) throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
    return cluster;
  }

  private taskArn(cluster: StoredCluster, name: string): string {
    return name.startsWith('arn:') ? name : `${cluster.clusterArn.replace(':cluster/', ':task/')}/${name}`;
  }

  private lifecycle(task: StoredTask): TaskLifecycle {
    const lifecycle = new TaskLifecycle(task, {
      environment: this.environment,
      runner: this.ports.runner,
      delays: { provisioningMs: 0, pullMs: 0, deprovisioningMs: 0, ...this.ports.delays },
      resolve: (one) =>
        taskRun(
          this.environment,
          one,
          this.definitions.find(one.taskDefinitionArn),
          this.ports.readSecret,
          this.ports.checkRoles,
        ),
      changed: (one, isNewVersion) => this.changed(one, isNewVersion),
      ended: (one) => {
        this.lifecycles.delete(one.id);
        this.endpoints.forget(one.secretToken);
        this.forgetLater(one);
      },
    });
    this.lifecycles.set(task.id, lifecycle);
    return lifecycle;
  }

  private changed(task: StoredTask, isNewVersion: boolean): void {
    if (this.closed) return;
    this.tasks.set(task.id, task);
    if (!isNewVersion) return;
    this.ports.publish({
      source: 'aws.ecs',
      detailType: 'ECS Task State Change',
      resources: [task.taskArn],
      detail: eventDetail(task),
    });
  }

  private forgetLater(task: StoredTask): void {
    this.environment.clock.at((task.stoppedAt ?? 0) + stoppedTaskMs, () => {
      if (!this.closed) this.tasks.delete(task.id);
    });
  }
}

function replayed(task: StoredTask): unknown {
  if (task.lastStatus !== 'STOPPED') return apiTask(task, true);
  return { taskArn: task.taskArn, lastStatus: task.lastStatus, desiredStatus: task.desiredStatus };
}

/** The last part of an ARN, or the name itself. */
function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
