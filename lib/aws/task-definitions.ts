import { createHash } from 'node:crypto';
import {
  ClientException,
  type ContainerDefinition,
  type ECSClient,
  InvalidParameterException,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
} from '@aws-sdk/client-ecs';
import type { TaskDefinitions, TemplateSpec } from '../app/ports.ts';
import { RouseError } from '../domain/errors.ts';
import { containerName } from './runner.ts';
import { ecsTags, tagKeys } from './tags.ts';

export interface TaskDefinitionConfig {
  stack: string;
  region: string;
  agentImage: string;
  agentLogGroup: string;
  executionRoleArn: string;
  taskRoleArn: string;
}

/** Where an init container puts Node and the shim for images that lack them. */
const shimFolder = '/rouse';

/** One task definition per template version at most, never per agent: AWS registers one a second (aws-facts 1.2). */
export class EcsTaskDefinitions implements TaskDefinitions {
  private readonly client: ECSClient;
  private readonly config: TaskDefinitionConfig;

  constructor(client: ECSClient, config: TaskDefinitionConfig) {
    this.client = client;
    this.config = config;
  }

  hash(template: { tenant: string; name: string; spec: TemplateSpec }): string {
    return createHash('sha256')
      .update(JSON.stringify(this.parameters(template)))
      .digest('hex');
  }

  async register(template: { tenant: string; name: string; spec: TemplateSpec }) {
    const parameters = this.parameters(template);
    try {
      const answer = await this.client.send(new RegisterTaskDefinitionCommand(parameters));
      const taskDefinitionArn = answer.taskDefinition?.taskDefinitionArn;
      if (!taskDefinitionArn) throw new Error('ECS registered a task definition without an ARN.');
      return { taskDefinitionArn, taskRoleArn: parameters.taskRoleArn };
    } catch (error) {
      if (error instanceof ClientException || error instanceof InvalidParameterException) {
        throw new RouseError('invalid', `ECS refuses this template: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  private parameters({ tenant, name, spec }: { tenant: string; name: string; spec: TemplateSpec }) {
    const ownImage = spec.image ?? undefined;
    return {
      family: `${this.config.stack}-${tenant}-${name}`,
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      cpu: String(spec.cpu),
      memory: String(spec.memoryMiB),
      runtimePlatform: {
        cpuArchitecture: spec.architecture === 'arm64' ? 'ARM64' : 'X86_64',
        operatingSystemFamily: 'LINUX',
      },
      executionRoleArn: this.config.executionRoleArn,
      taskRoleArn: spec.taskRoleArn ?? this.config.taskRoleArn,
      containerDefinitions: ownImage ? [this.installer(), this.agent(spec, ownImage)] : [this.agent(spec, undefined)],
      volumes: ownImage ? [{ name: 'rouse' }] : [],
      tags: ecsTags({ [tagKeys.stack]: this.config.stack, [tagKeys.tenant]: tenant, [tagKeys.template]: name }),
    } satisfies RegisterTaskDefinitionCommandInput;
  }

  private agent(spec: TemplateSpec, image: string | undefined): ContainerDefinition {
    return {
      name: containerName,
      image: image ?? this.config.agentImage,
      essential: true,
      stopTimeout: spec.stopTimeoutSeconds,
      secrets: Object.entries(spec.secrets).map(([name, valueFrom]) => ({ name, valueFrom })),
      logConfiguration: this.logs('agent'),
      // Node as the first process would leave orphans unreaped.
      linuxParameters: { initProcessEnabled: true },
      // The shim starts as root, to run the driver as another user.
      user: '0',
      ...(image && {
        entryPoint: [`${shimFolder}/bin/node`, `${shimFolder}/shim.mjs`],
        dependsOn: [{ containerName: 'shim', condition: 'SUCCESS' as const }],
        mountPoints: [{ sourceVolume: 'rouse', containerPath: shimFolder, readOnly: true }],
      }),
    };
  }

  private installer(): ContainerDefinition {
    return {
      name: 'shim',
      image: this.config.agentImage,
      essential: false,
      command: ['install', shimFolder],
      mountPoints: [{ sourceVolume: 'rouse', containerPath: shimFolder }],
      logConfiguration: this.logs('shim'),
    };
  }

  private logs(prefix: string): ContainerDefinition['logConfiguration'] {
    return {
      logDriver: 'awslogs',
      options: {
        'awslogs-group': this.config.agentLogGroup,
        'awslogs-region': this.config.region,
        'awslogs-stream-prefix': prefix,
      },
    };
  }
}
