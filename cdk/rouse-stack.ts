import { CfnOutput, DefaultStackSynthesizer, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Environment } from '../lib/config.ts';
import { type Bundles, esbuildBundles } from './bundles.ts';
import { AgentCredentials } from './constructs/agent-credentials.ts';
import { type AgentArchitecture, AgentImage } from './constructs/agent-image.ts';
import { Api } from './constructs/api.ts';
import { Compute } from './constructs/compute.ts';
import { EventSources } from './constructs/event-sources.ts';
import { type FunctionName, Functions, functionNames } from './constructs/functions.ts';
import { grantsOf } from './constructs/grants.ts';
import { Messaging } from './constructs/messaging.ts';
import { type ExistingNetwork, Network } from './constructs/network.ts';
import { Observability } from './constructs/observability.ts';
import { OwnKey, roleUses } from './constructs/own-key.ts';
import { Schedules } from './constructs/schedules.ts';
import { State } from './constructs/state.ts';

export interface RouseStackProps {
  /** A VPC that is already there. @default a new one with public subnets and gateway endpoints */
  readonly existingNetwork?: ExistingNetwork;
  /** URI of an image to use as the built-in agent image; a deploy then needs no Docker. @default built from `agent/` */
  readonly agentImage?: string;
  /** What the agent image is built for. @default arm64 */
  readonly agentArchitectures?: readonly AgentArchitecture[];
  /** ARN of a KMS key for what is stored. @default the keys of AWS */
  readonly kmsKeyArn?: string;
  /** What becomes of tables and bucket with the stack. @default retain */
  readonly removalPolicy?: 'retain' | 'destroy';
  /** Days that logs, events and the lines of tasks are kept; a number that CloudWatch Logs knows. @default 30 */
  readonly logRetentionDays?: number;
  /** Event types that also go on the event bus. @default none */
  readonly busEventTypes?: readonly string[];
  /** Roles that templates may name besides those under the path `/rouse-agent/`. @default none */
  readonly allowedTaskRoleArns?: readonly string[];
  /** Secrets and parameters that templates may name besides those under `/rouse-agent/`. @default none */
  readonly allowedSecretArns?: readonly string[];
  /** ECR repositories that templates may pull besides those named `rouse-agent/…`. @default none */
  readonly allowedRepositoryArns?: readonly string[];
  /** Agents that a tenant may have. @default no limit */
  readonly maxAgents?: number;
  /** Runtimes that a tenant may have at once, standbys included; launches beyond wait in order. @default no limit */
  readonly maxRuntimes?: number;
  /** Whether the longest idle agent is paused when a launch waits for room. @default false */
  readonly evictIdle?: boolean;
  /** Launches of a tenant that begin in a second, 20 at most. @default 20, which is what Fargate sustains */
  readonly launchesPerSecond?: number;
  /** Concurrency reserved for functions. @default none */
  readonly reservedConcurrency?: Partial<Record<FunctionName, number>>;
  /** SNS topic that the alarm notifies. @default none */
  readonly alarmTopicArn?: string;
  /** Where code comes from. @default esbuild, from `lambdas/` and `agent/` */
  readonly bundles?: Bundles;
}

/** All of Rouse. Idle, it costs about a dollar a month: nothing in it is paid by the hour. */
export class RouseStack extends Stack {
  constructor(scope: Construct, id: string, props: RouseStackProps = {}) {
    const prefix = kebabCase(id);
    super(scope, id, {
      description: 'Rouse: agent orchestration on serverless AWS',
      // CloudFormation puts a stack's tags on every resource that can have any.
      tags: { 'rouse:stack': prefix },
      // The CLI checks the version of the bootstrap stack as well; the rule would be the template's only condition.
      synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: false }),
    });
    const bundles = props.bundles ?? esbuildBundles();
    const logRetention = props.logRetentionDays ?? 30;
    const removalPolicy =
      props.removalPolicy === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
    const allowedTaskRoleArns = props.allowedTaskRoleArns ?? [];
    const allowedSecretArns = props.allowedSecretArns ?? [];
    const adminKeyParameter = `/${prefix}/admin-key`;
    const tokenKeyParameter = `/${prefix}/token-key`;
    const bellArn = (runtimeId: string) => this.formatArn({ service: 'sqs', resource: `${prefix}-bell-${runtimeId}` });

    const ownKey = props.kmsKeyArn === undefined ? undefined : new OwnKey(this, 'OwnKey', props.kmsKeyArn);
    const key = ownKey?.key;

    const state = new State(this, 'State', { removalPolicy, key });
    const messaging = new Messaging(this, 'Messaging', { prefix, key });
    const network = new Network(this, 'Network', { existing: props.existingNetwork });
    const image = new AgentImage(this, 'AgentImage', {
      folder: () => bundles.agentFolder(),
      uri: props.agentImage,
      architectures: props.agentArchitectures ?? ['arm64'],
    });
    const compute = new Compute(this, 'Compute', {
      image,
      key,
      logRetention,
      allowedSecretArns,
      allowedRepositoryArns: props.allowedRepositoryArns ?? [],
    });
    const functions = new Functions(this, 'Functions', {
      code: (name) => bundles.functionCode(name),
      key,
      logRetention,
      reservedConcurrency: props.reservedConcurrency,
    });
    const agentCredentials = new AgentCredentials(this, 'AgentCredentials', {
      trusted: functions.get('runtime').role,
      bucket: state.bucket,
      bellArn,
    });
    const api = new Api(this, 'Api', { functions });
    new EventSources(this, 'EventSources', { functions, state, messaging, clusterArn: compute.clusterArn });
    const schedules = new Schedules(this, 'Schedules', { sweep: functions.get('sweep'), messaging });
    new Observability(this, 'Observability', {
      record: functions.get('record'),
      alarmTopicArn: props.alarmTopicArn,
    });

    functions.configure({
      ROUSE_STACK: prefix,
      ROUSE_STATE_TABLE: state.stateTable.tableName,
      ROUSE_LOG_TABLE: state.logTable.tableName,
      ROUSE_BUCKET: state.bucket.bucketName,
      ROUSE_DEAD_LETTER_QUEUE_URLS: Fn.join(',', [messaging.deadLettersFifo.queueUrl, messaging.deadLetters.queueUrl]),
      ROUSE_WORK_QUEUE_URL: messaging.work.queueUrl,
      ROUSE_LAUNCHES_QUEUE_URL: messaging.launches.queueUrl,
      ROUSE_TIMERS_QUEUE_URL: messaging.timers.queueUrl,
      ROUSE_SCHEDULE_GROUP: schedules.userGroup.ref,
      ROUSE_SCHEDULE_ROLE_ARN: schedules.userRole.roleArn,
      ROUSE_TRIGGERS_QUEUE_ARN: messaging.triggers.queueArn,
      ROUSE_DEAD_LETTERS_QUEUE_ARN: messaging.deadLetters.queueArn,
      ROUSE_EVENT_BUS: messaging.bus.eventBusName,
      ROUSE_BUS_EVENT_TYPES: (props.busEventTypes ?? []).join(','),
      ROUSE_CLUSTER: compute.clusterArn,
      ROUSE_SUBNETS: network.subnetIds.join(','),
      ROUSE_SECURITY_GROUPS: network.securityGroupId,
      ROUSE_ASSIGN_PUBLIC_IP: network.assignPublicIp ? 'ENABLED' : 'DISABLED',
      ROUSE_AGENT_IMAGE: image.uri,
      ROUSE_AGENT_LOG_GROUP: compute.logGroup.logGroupName,
      ROUSE_EXECUTION_ROLE_ARN: compute.executionRole.roleArn,
      ROUSE_TASK_ROLE_ARN: compute.taskRole.roleArn,
      ROUSE_AGENT_CREDENTIALS_ROLE_ARN: agentCredentials.role.roleArn,
      ROUSE_ALLOWED_TASK_ROLE_ARNS: allowedTaskRoleArns.join(','),
      ROUSE_ALLOWED_SECRET_ARNS: allowedSecretArns.join(','),
      ROUSE_API_URL: api.url,
      ROUSE_ADMIN_KEY_PARAMETER: adminKeyParameter,
      ROUSE_TOKEN_KEY_PARAMETER: tokenKeyParameter,
      ROUSE_LOG_RETENTION_DAYS: String(logRetention),
      ROUSE_KMS_KEY_ARN: key?.keyArn ?? '',
      ROUSE_MAX_AGENTS: String(props.maxAgents ?? ''),
      ROUSE_MAX_RUNTIMES: String(props.maxRuntimes ?? ''),
      ROUSE_LAUNCHES_PER_SECOND: String(props.launchesPerSecond ?? 20),
      ROUSE_EVICT_IDLE: String(props.evictIdle ?? false),
    } satisfies Environment);

    new CfnOutput(this, 'ApiUrl', { value: api.url, description: 'Origin of the HTTP API' });
    new CfnOutput(this, 'AdminKeyParameter', {
      value: adminKeyParameter,
      description: 'SSM SecureString with the first admin key, there a minute after the first deploy',
    });
    new CfnOutput(this, 'Cluster', { value: compute.clusterName, description: 'ECS cluster of the agents' });
    new CfnOutput(this, 'StateTable', { value: state.stateTable.tableName });
    new CfnOutput(this, 'LogTable', { value: state.logTable.tableName });
    new CfnOutput(this, 'Bucket', { value: state.bucket.bucketName });

    const grants = grantsOf({
      stack: this,
      prefix,
      state,
      messaging,
      schedules,
      compute,
      bellArn,
      adminKeyParameter,
      tokenKeyParameter,
      allowedTaskRoleArns,
    });
    for (const name of functionNames) {
      for (const statement of [...grants[name], ...(ownKey?.functionStatements(name) ?? [])]) {
        functions.get(name).role.addToPolicy(statement);
      }
    }
    ownKey?.grant(agentCredentials.role, roleUses.agentCredentials);
    ownKey?.grant(compute.executionRole, roleUses.execution);
    ownKey?.grant(schedules.userRole, roleUses.schedules);
  }
}

/** `RouseStaging` becomes `rouse-staging`. */
export const kebabCase = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
