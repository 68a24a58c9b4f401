import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ContainerDefinition,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  StopTaskCommand,
  type Task,
  type TaskDefinition,
} from '@aws-sdk/client-ecs';
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import type { ContainerRun, RunningContainer, TaskRun } from '../../../local/services/ecs/container-runner.ts';
import { ProcessRunner } from '../../../local/services/ecs/process-runner.ts';
import { MemoryStore } from '../../../local/store.ts';
import { TaskEndpoints } from './task-endpoints.ts';

/** How often the cluster is looked at: an agent waits for its container about as long. */
const pollMs = 200;
/** ECS's default between SIGTERM and SIGKILL. */
const defaultStopTimeoutSeconds = 30;
const maxDescribed = 100;

export interface StandInOptions {
  cluster: string;
  /** The built-in image, as the task definitions name it. */
  image: string;
  /** Its folder with `shim.mjs`. */
  imageFolder: string;
  /** Workspaces and logs of the containers. */
  folder: string;
  /** Variables that the server needs to be found, such as AWS_ENDPOINT_URL. */
  variables: Record<string, string>;
  ecs: ECSClient;
  ssm: SSMClient;
  sts: STSClient;
  region: string;
  log(line: string): void;
}

interface Running {
  container: RunningContainer;
  stopTimeoutSeconds: number;
  isStopping: boolean;
  hasExited: boolean;
}

/**
 * Fargate for a server whose ECS keeps tasks but starts no container: watches the cluster through the ECS API and runs
 * the shim of each task as a local process. What it can't do there is tell ECS that a container has ended: StopTask is
 * the only word for it that every server knows. It sends no events.
 */
export class FargateStandIn {
  private readonly options: StandInOptions;
  private readonly endpoints: TaskEndpoints;
  private readonly runner: ProcessRunner;
  private readonly running = new Map<string, Running>();
  /** Tasks that have been started, or can't be. */
  private readonly seen = new Set<string>();
  private readonly over = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  private constructor(options: StandInOptions, endpoints: TaskEndpoints) {
    this.options = options;
    this.endpoints = endpoints;
    this.runner = new ProcessRunner({
      store: new MemoryStore(),
      folder: options.folder,
      imageFolder: (image) => (image === options.image ? options.imageFolder : undefined),
      output: (_container, taskId, lines) => {
        for (const line of lines) options.log(`${taskId.slice(0, 8)} ${line}`);
      },
    });
  }

  static async start(options: StandInOptions): Promise<FargateStandIn> {
    const standIn = new FargateStandIn(options, await TaskEndpoints.listen());
    standIn.watching = standIn.watch();
    return standIn;
  }

  /** Kills every container. */
  async close(): Promise<void> {
    this.over.abort();
    await this.watching;
    await this.runner.close();
    this.endpoints.close();
  }

  private async watch(): Promise<void> {
    while (!this.over.signal.aborted) {
      try {
        await this.look();
      } catch (error) {
        this.options.log(`stand-in: ${error}`);
      }
      await sleep(pollMs, undefined, { signal: this.over.signal }).catch(() => {});
    }
  }

  private async look(): Promise<void> {
    const { ecs, cluster } = this.options;
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster, desiredStatus: 'RUNNING' }));
    const interesting = [...new Set([...this.running.keys(), ...taskArns.filter((arn) => !this.seen.has(arn))])];
    for (let start = 0; start < interesting.length; start += maxDescribed) {
      const tasks = interesting.slice(start, start + maxDescribed);
      const answer = await ecs.send(new DescribeTasksCommand({ cluster, tasks }));
      for (const task of answer.tasks ?? []) await this.meet(task);
    }
  }

  private async meet(task: Task): Promise<void> {
    const running = this.running.get(task.taskArn!);
    // What ECS calls STOPPED must not run: others take it for a proof of death.
    if (running && task.lastStatus === 'STOPPED') running.container.signal('SIGKILL');
    else if (running && task.desiredStatus === 'STOPPED') this.stop(running);
    else if (!this.seen.has(task.taskArn!)) await this.launch(task);
  }

  private stop(running: Running): void {
    if (running.isStopping) return;
    running.isStopping = true;
    running.container.signal('SIGTERM');
    const kill = () => !running.hasExited && running.container.signal('SIGKILL');
    setTimeout(kill, running.stopTimeoutSeconds * 1000).unref();
  }

  private async launch(task: Task): Promise<void> {
    const taskArn = task.taskArn!;
    this.seen.add(taskArn);
    const taskId = taskArn.slice(taskArn.lastIndexOf('/') + 1);
    try {
      const definition = await this.definitionOf(task);
      const container = definition.containerDefinitions?.find(({ essential }) => essential !== false);
      if (!container) throw new Error('its task definition has no essential container');
      const taskRoleArn = task.overrides?.taskRoleArn ?? definition.taskRoleArn;
      const { variables, end } = this.endpoints.serve({
        credentials: () => this.credentials(taskRoleArn, taskId),
        metadata: {
          TaskARN: taskArn,
          Limits: { CPU: Number(definition.cpu) / 1024, Memory: Number(definition.memory) },
        },
      });
      const run = await this.containerRun(task, container, variables);
      const started = await this.runner.start(taskRun(task, taskId, taskRoleArn, run), run);
      const running = { container: started, ...run, isStopping: false, hasExited: false };
      this.running.set(taskArn, running);
      void started.exited.then(async ({ exitCode }) => {
        running.hasExited = true;
        end();
        await this.ended(taskArn, taskId, `Essential container in task exited (exit code ${exitCode})`);
      });
    } catch (error) {
      await this.ended(taskArn, taskId, `CannotStartContainerError: ${error}`);
    }
  }

  private async ended(taskArn: string, taskId: string, reason: string): Promise<void> {
    const { ecs, cluster, log } = this.options;
    log(`stand-in: ${taskId}: ${reason}`);
    await this.runner.finish(taskId);
    this.running.delete(taskArn);
    if (this.over.signal.aborted) return;
    await ecs
      .send(new StopTaskCommand({ cluster, task: taskArn, reason }))
      .catch((error) => log(`stand-in: StopTask of ${taskId}: ${error}`));
  }

  private async definitionOf(task: Task): Promise<TaskDefinition> {
    const { taskDefinition } = await this.options.ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: task.taskDefinitionArn }),
    );
    return taskDefinition!;
  }

  private async containerRun(
    task: Task,
    container: ContainerDefinition,
    endpoints: Record<string, string>,
  ): Promise<ContainerRun> {
    const { region, variables } = this.options;
    const override = task.overrides?.containerOverrides?.find(({ name }) => name === container.name);
    const environment: Record<string, string> = {};
    for (const { name, value } of [...(container.environment ?? []), ...(override?.environment ?? [])])
      environment[name!] = value!;
    for (const { name, valueFrom } of container.secrets ?? []) environment[name!] = await this.secret(valueFrom!);
    return {
      name: container.name!,
      image: container.image!,
      essential: true,
      entryPoint: container.entryPoint,
      command: override?.command ?? container.command,
      environment: { ...environment, ...variables, ...endpoints, AWS_REGION: region, AWS_DEFAULT_REGION: region },
      definition: { name: container.name!, image: container.image! },
      stopTimeoutSeconds: container.stopTimeout ?? defaultStopTimeoutSeconds,
    };
  }

  private async secret(valueFrom: string): Promise<string> {
    const name = /^arn:[^:]+:ssm:[^:]*:[^:]*:parameter(\/.+)$/.exec(valueFrom)?.[1];
    if (name === undefined) throw new Error(`the stand-in reads secrets from SSM only, not ${valueFrom}`);
    const { Parameter } = await this.options.ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
    return Parameter!.Value!;
  }

  /** As on ECS, the session is named after the task. */
  private async credentials(roleArn: string | undefined, taskId: string): Promise<object> {
    if (!roleArn) throw new Error('The task has no role.');
    const { Credentials } = await this.options.sts.send(
      new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: taskId }),
    );
    return {
      RoleArn: roleArn,
      AccessKeyId: Credentials!.AccessKeyId,
      SecretAccessKey: Credentials!.SecretAccessKey,
      Token: Credentials!.SessionToken,
      Expiration: Credentials!.Expiration!.toISOString(),
    };
  }
}

function taskRun(task: Task, taskId: string, taskRoleArn: string | undefined, container: ContainerRun): TaskRun {
  return {
    taskId,
    taskArn: task.taskArn!,
    startedBy: task.startedBy,
    taskRoleArn,
    createdAtMs: task.createdAt?.getTime() ?? 0,
    containers: [container],
    volumes: [],
  };
}
