import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SchedulerClient } from '@aws-sdk/client-scheduler';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Deps } from '../lib/app/deps.ts';
import { AgentStore } from '../lib/aws/agent-store.ts';
import { SchedulerAlarms } from '../lib/aws/alarms.ts';
import { ApiKeyStore } from '../lib/aws/api-key-store.ts';
import { Bucket } from '../lib/aws/bucket.ts';
import { DueHeadStore } from '../lib/aws/due-heads.ts';
import { EventBus } from '../lib/aws/event-bus.ts';
import { DynamoEventLog } from '../lib/aws/event-log.ts';
import { FleetStore } from '../lib/aws/fleet-store.ts';
import { GenerationStore } from '../lib/aws/generation-store.ts';
import { IdempotencyStore } from '../lib/aws/idempotency-store.ts';
import { type Post, StsIdentities } from '../lib/aws/identity.ts';
import { PackReader } from '../lib/aws/pack-reader.ts';
import { SsmParameters } from '../lib/aws/parameters.ts';
import { PoolStore } from '../lib/aws/pool-store.ts';
import { SqsQueues } from '../lib/aws/queues.ts';
import { RoomStore } from '../lib/aws/room-store.ts';
import { RunStore } from '../lib/aws/run-store.ts';
import { EcsRunner } from '../lib/aws/runner.ts';
import { RuntimeStore } from '../lib/aws/runtime-store.ts';
import { ScheduleStore } from '../lib/aws/schedule-store.ts';
import { Table } from '../lib/aws/table.ts';
import { EcsTaskDefinitions } from '../lib/aws/task-definitions.ts';
import { TaskLogStore } from '../lib/aws/task-log-store.ts';
import { TaskStore } from '../lib/aws/task-store.ts';
import { TemplateStore } from '../lib/aws/template-store.ts';
import { withConflictRetries } from '../lib/aws/transaction-conflicts.ts';
import { WaiterStore } from '../lib/aws/waiter-store.ts';
import { WorkflowStore } from '../lib/aws/workflow-store.ts';
import { type Config, parseConfig } from '../lib/config.ts';
import type { Idempotency } from '../lib/http/router.ts';
import { makeLogger } from '../lib/log.ts';

/** What a function gets besides the use cases' dependencies. */
export interface FunctionDeps extends Deps {
  idempotency: Idempotency;
  /** What the record function appends to, and where it publishes. */
  bus: EventBus;
}

/** What tests put in the place of the real world. */
export interface World {
  env: Readonly<Record<string, string | undefined>>;
  /** Options of every SDK client: transport, credentials, region. */
  client: object;
  /** Makes a client do its work in another way. */
  adapt?<C extends object>(client: C): C;
  now(): number;
  sleep(ms: number): Promise<void>;
  random(length: number): Uint8Array;
  /** How a signed request reaches STS. @default over HTTP */
  post?: Post;
  write?: (line: string) => void;
}

/** Readers that may begin to wait in 25 s; an account's functions share 1,000 executions unless it has asked for more. */
const waitersPerSlot = 200;

const realWorld: World = {
  env: process.env,
  client: {},
  now: Date.now,
  sleep: (ms) => sleep(ms),
  random: randomBytes,
};

/** The composition root: the only place that builds clients. They are lazy, so a function pays only for those it uses. */
export function makeDeps(functionName: string, world: World = realWorld): FunctionDeps {
  const config = parseConfig(world.env);
  const region = world.env.AWS_REGION ?? 'us-east-1';
  const client = { region, maxAttempts: 4, ...world.client };
  const adapt: NonNullable<World['adapt']> = world.adapt ?? ((it) => it);
  const documents = withConflictRetries(
    adapt(
      DynamoDBDocumentClient.from(new DynamoDBClient(client), { marshallOptions: { removeUndefinedValues: true } }),
    ),
    { sleep: world.sleep, random: () => world.random(1)[0]! / 256 },
  );
  const state = new Table(documents, config.stateTable);
  const log = new Table(documents, config.logTable);
  const ecs = adapt(new ECSClient(client));
  const { now, sleep, random } = world;
  // Checksums by default would be part of presigned URLs, and would be those of an empty body.
  const objects = new Bucket(new S3Client({ ...client, requestChecksumCalculation: 'WHEN_REQUIRED' }), config.bucket);
  return {
    config,
    ...stores(state, log, config, world),
    queues: new SqsQueues(adapt(new SQSClient(client)), config, functionName === 'dispatch' ? 'timers' : 'work'),
    objects,
    packs: new PackReader(objects),
    alarms: new SchedulerAlarms(new SchedulerClient(client), config),
    runner: new EcsRunner(ecs, config),
    taskDefinitions: new EcsTaskDefinitions(ecs, { ...config, region }),
    parameters: new SsmParameters(adapt(new SSMClient(client)), config),
    identities: new StsIdentities(
      new STSClient(client),
      config.agentCredentialsRoleArn,
      stsEndpoint(world),
      world.post,
    ),
    bus: new EventBus(adapt(new EventBridgeClient(client)), config.eventBus, config.busEventTypes),
    log: makeLogger({ function: functionName }, world.write),
    now,
    sleep,
    random,
  };
}

function stsEndpoint({ env }: World): string | undefined {
  return env.AWS_ENDPOINT_URL_STS ?? env.AWS_ENDPOINT_URL;
}

function stores(state: Table, log: Table, config: Config, { now, random }: World) {
  return {
    agents: new AgentStore(state, config.maxAgents),
    due: new DueHeadStore(state),
    tasks: new TaskStore(state, now),
    templates: new TemplateStore(state),
    schedules: new ScheduleStore(state, config.logRetentionDays),
    pools: new PoolStore(state),
    workflows: new WorkflowStore(state),
    runs: new RunStore(state),
    rooms: new RoomStore(state),
    runtimes: new RuntimeStore(state),
    fleet: new FleetStore(state),
    generations: new GenerationStore(state),
    apiKeys: new ApiKeyStore(state),
    waiters: new WaiterStore(state, waitersPerSlot),
    idempotency: new IdempotencyStore(state, random),
    events: new DynamoEventLog(log, config.logRetentionDays),
    taskLogs: new TaskLogStore(log, config.logRetentionDays, random),
  };
}
