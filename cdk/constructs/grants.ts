import type { Stack } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Compute } from './compute.ts';
import type { FunctionName } from './functions.ts';
import type { Messaging } from './messaging.ts';
import type { Schedules } from './schedules.ts';
import type { State } from './state.ts';

export interface Granted {
  readonly stack: Stack;
  /** Prefix of what is named at run time. */
  readonly prefix: string;
  readonly state: State;
  readonly messaging: Messaging;
  readonly schedules: Schedules;
  readonly compute: Compute;
  /** ARN of the bell of a runtime. */
  readonly bellArn: (runtimeId: string) => string;
  readonly adminKeyParameter: string;
  readonly tokenKeyParameter: string;
  /** Roles that templates may name besides the path `/rouse-agent/`. */
  readonly allowedTaskRoleArns: readonly string[];
}

type Item = 'GetItem' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'Query' | 'BatchGetItem';

/**
 * What each function may do, as the table "Grants" of `docs/architecture.md` says it. What it needs to be invoked and
 * to receive messages is granted where it is connected (`event-sources.ts`).
 */
export function grantsOf(granted: Granted): Record<FunctionName, PolicyStatement[]> {
  const { stack, prefix, state, messaging, schedules, compute } = granted;
  const { stateTable, logTable, bucket } = state;
  const { work, launches, timers, bus } = messaging;
  const bells = { queueArn: granted.bellArn('*') };

  const allow = (actions: string[], resources: string[], conditions?: Record<string, Record<string, unknown>>) =>
    new PolicyStatement({ actions, resources, conditions });
  const onTable = (table: Table, ...items: Item[]) =>
    allow(
      items.map((item) => `dynamodb:${item}`),
      [table.tableArn],
    );
  const queryIndex = (table: Table, ...indexes: string[]) =>
    allow(
      ['dynamodb:Query'],
      indexes.map((index) => `${table.tableArn}/index/${index}`),
    );
  const onObjects = (action: string, ...patterns: string[]) =>
    allow(
      [`s3:${action}`],
      patterns.map((pattern) => bucket.arnForObjects(pattern)),
    );
  // Lambda asks whether the bucket is there without naming a prefix, so the condition only binds real listings.
  const listObjects = (prefixPattern: string) =>
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLikeIfExists: { 's3:prefix': prefixPattern } });
  const send = (...queues: { queueArn: string }[]) =>
    allow(
      ['sqs:SendMessage'],
      queues.map(({ queueArn }) => queueArn),
    );
  const onParameters = (actions: string[], ...names: string[]) =>
    allow(
      actions,
      names.map((name) => stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: name.slice(1) })),
    );

  const taskDefinitions = stack.formatArn({
    service: 'ecs',
    resource: 'task-definition',
    resourceName: `${prefix}-*:*`,
  });
  const onlyCluster = { ArnEquals: { 'ecs:cluster': compute.clusterArn } };
  const tasks = stack.formatArn({ service: 'ecs', resource: 'task', resourceName: `${compute.clusterName}/*` });
  const onTasks = (...actions: string[]) => allow(actions, [tasks]);
  // ListTasks is authorized on container instances, on Fargate too (Service Authorization Reference, ECS).
  const listTasks = allow(
    ['ecs:ListTasks'],
    [stack.formatArn({ service: 'ecs', resource: 'container-instance', resourceName: `${compute.clusterName}/*` })],
    onlyCluster,
  );
  const passRole = allow(
    ['iam:PassRole'],
    [
      compute.executionRole.roleArn,
      compute.taskRole.roleArn,
      stack.formatArn({ service: 'iam', region: '', resource: 'role', resourceName: 'rouse-agent/*' }),
      ...granted.allowedTaskRoleArns,
    ],
    { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
  );

  // It has no resource to narrow it to (Service Authorization Reference, SQS).
  const listBells = allow(['sqs:ListQueues'], ['*']);
  const onSchedules = (...actions: string[]) =>
    allow(
      actions.map((action) => `scheduler:${action}`),
      [stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: `${schedules.userGroup.ref}/*` })],
    );

  return {
    api: [
      onTable(stateTable, 'GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'BatchGetItem'),
      queryIndex(stateTable, 'list'),
      // Its own results, and files of agents' generations.
      onObjects('GetObject', 'tasks/*', 'uploads/*', 'runs/*', 'agents/*'),
      onObjects('PutObject', 'uploads/*', 'tasks/*', 'runs/*'),
      send(bells, work),
      allow(['ecs:RegisterTaskDefinition'], [taskDefinitions]),
      allow(['ecs:TagResource'], [taskDefinitions], {
        StringEquals: { 'ecs:CreateAction': 'RegisterTaskDefinition' },
      }),
      passRole,
    ],
    wait: [
      onTable(stateTable, 'GetItem', 'UpdateItem', 'DeleteItem'),
      onTable(logTable, 'Query', 'BatchGetItem'),
      queryIndex(logTable, 'feed'),
      onObjects('GetObject', 'tasks/*', 'uploads/*', 'runs/*'),
    ],
    runtime: [
      onTable(stateTable, 'GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query'),
      onTable(logTable, 'PutItem'),
      // A task sends another agent a message.
      send(bells, work),
      allow(['sqs:DeleteQueue'], [bells.queueArn]),
      onParameters(['ssm:GetParameter'], granted.tokenKeyParameter),
      onObjects('GetObject', 'agents/*', 'tasks/*', 'uploads/*'),
      onObjects('DeleteObject', 'agents/*'),
      onObjects('PutObject', 'tasks/*'),
      listTasks,
    ],
    dispatch: [
      onTable(stateTable, 'GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'BatchGetItem'),
      // Unfinished tasks, and bells, of which nobody takes care.
      queryIndex(stateTable, 'list'),
      listBells,
      send(launches, timers, bells),
      allow(['sqs:DeleteQueue'], [bells.queueArn]),
      onTasks('ecs:DescribeTasks', 'ecs:StopTask'),
      listTasks,
      allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': 'agents/*' } }),
      // A fork's files are copied from another agent's.
      onObjects('GetObject', 'agents/*'),
      onObjects('PutObject', 'agents/*/copied/*'),
      onObjects('DeleteObject', 'agents/*'),
      onSchedules('GetSchedule', 'CreateSchedule', 'UpdateSchedule', 'DeleteSchedule'),
      allow(['iam:PassRole'], [schedules.userRole.roleArn], {
        StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
      }),
      // What schedules and runs start: tasks with inputs of any size, their outputs for the next, values of runs.
      onObjects('GetObject', 'runs/*', 'tasks/*', 'uploads/*'),
      onObjects('PutObject', 'runs/*', 'tasks/*'),
    ],
    launch: [
      // Beyond reading and noting: what waits for room among the tenant's runtimes.
      onTable(stateTable, 'GetItem', 'UpdateItem', 'PutItem', 'DeleteItem', 'Query'),
      allow(['ecs:RunTask'], [taskDefinitions], onlyCluster),
      allow(['ecs:TagResource'], [tasks], { StringEquals: { 'ecs:CreateAction': 'RunTask' } }),
      passRole,
      allow(['sqs:CreateQueue', 'sqs:TagQueue', 'sqs:DeleteQueue'], [bells.queueArn]),
      send(timers),
    ],
    record: [
      onTable(stateTable, 'GetItem', 'PutItem'),
      onTable(logTable, 'PutItem', 'UpdateItem', 'Query'),
      send(work),
      allow(['events:PutEvents'], [bus.eventBusArn]),
      // The key of a failed batch is Lambda's choice: aws/lambda/<event source mapping>/<shard>/<date>/….
      onObjects('PutObject', 'aws/lambda/*'),
      listObjects('aws/lambda/*'),
    ],
    sweep: [
      onTable(stateTable, 'GetItem', 'PutItem', 'UpdateItem', 'BatchGetItem'),
      queryIndex(stateTable, 'due'),
      send(work),
      allow(
        ['sqs:ReceiveMessage', 'sqs:DeleteMessage'],
        [messaging.deadLettersFifo.queueArn, messaging.deadLetters.queueArn],
      ),
      // What the stream could not deliver is replayed: recorded, published, removed.
      onTable(logTable, 'PutItem', 'UpdateItem', 'Query'),
      allow(['events:PutEvents'], [bus.eventBusArn]),
      allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': 'aws/lambda/*' } }),
      onObjects('GetObject', 'aws/lambda/*'),
      onObjects('DeleteObject', 'aws/lambda/*'),
      // A listing names no schedule (Service Authorization Reference, EventBridge Scheduler).
      allow(
        ['scheduler:ListSchedules'],
        [stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName: '*/*' })],
      ),
      onSchedules('GetSchedule'),
      onParameters(['ssm:PutParameter', 'ssm:AddTagsToResource'], granted.adminKeyParameter, granted.tokenKeyParameter),
      onParameters(['ssm:GetParameter'], granted.adminKeyParameter),
    ],
    timers: [send(work)],
    trigger: [send(work)],
    'task-events': [onTable(stateTable, 'GetItem', 'UpdateItem', 'DeleteItem'), send(work)],
  };
}
