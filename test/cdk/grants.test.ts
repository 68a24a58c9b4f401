import { describe, expect, it } from 'vitest';
import { type FunctionName, functionNames } from '../../cdk/constructs/functions.ts';
import { actionsOf, type Statement, Synthesis } from './synthesis.ts';

const synthesis = new Synthesis();
const self = '{AWS::Region}:{AWS::AccountId}';

/** Each statement as `resource: action action`, the lines sorted. */
const summaryOf = (statements: Statement[]): string[] =>
  statements
    .flatMap((statement) =>
      synthesis.texts(statement.Resource).map((resource) => {
        const short = resource.replace(`arn:{AWS::Partition}:`, '').replace(self, '~');
        return `${short}: ${actionsOf(statement).sort().join(' ')}`;
      }),
    )
    .sort();

const state = '{StateStateTable.Arn}';
const log = '{StateLogTable.Arn}';
const bucket = '{StateBucket.Arn}';
const work = '{MessagingWork.Arn}';
const timers = '{MessagingTimers.Arn}';
const bells = 'sqs:~:rouse-bell-*';
const clusterTasks = 'ecs:~:task/{ComputeCluster}/*';
const clusterInstances = 'ecs:~:container-instance/{ComputeCluster}/*';
const taskDefinitions = 'ecs:~:task-definition/rouse-*:*';
const passedRoles = ['{ComputeExecutionRole.Arn}', '{ComputeTaskRole.Arn}', 'iam::{AWS::AccountId}:role/rouse-agent/*'];
const receive = 'sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage';
const userSchedules = 'scheduler:~:schedule/{SchedulesUserGroup}/*';
const scheduler = (...names: string[]) => names.map((name) => `scheduler:${name}`).join(' ');
const items = (...names: string[]) => names.map((name) => `dynamodb:${name}`).join(' ');

/** What each function may do, besides writing its own log. */
const grants: Record<FunctionName, string[]> = {
  api: [
    `${state}: ${items('BatchGetItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem')}`,
    `${state}/index/list: ${items('Query')}`,
    ...['tasks', 'uploads', 'runs', 'agents'].map((folder) => `${bucket}/${folder}/*: s3:GetObject`),
    ...['tasks', 'uploads', 'runs'].map((folder) => `${bucket}/${folder}/*: s3:PutObject`),
    ...[bells, work].map((queue) => `${queue}: sqs:SendMessage`),
    `${taskDefinitions}: ecs:RegisterTaskDefinition`,
    `${taskDefinitions}: ecs:TagResource`,
    ...passedRoles.map((role) => `${role}: iam:PassRole`),
  ],
  wait: [
    `${state}: ${items('DeleteItem', 'GetItem', 'UpdateItem')}`,
    `${log}: ${items('BatchGetItem', 'Query')}`,
    `${log}/index/feed: ${items('Query')}`,
    ...['tasks', 'uploads', 'runs'].map((folder) => `${bucket}/${folder}/*: s3:GetObject`),
  ],
  runtime: [
    `${state}: ${items('DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem')}`,
    `${log}: ${items('PutItem')}`,
    `${bells}: sqs:SendMessage`,
    `${work}: sqs:SendMessage`,
    `${bells}: sqs:DeleteQueue`,
    'ssm:~:parameter/rouse/token-key: ssm:GetParameter',
    ...['agents', 'tasks', 'uploads'].map((folder) => `${bucket}/${folder}/*: s3:GetObject`),
    `${bucket}/agents/*: s3:DeleteObject`,
    `${bucket}/tasks/*: s3:PutObject`,
    `${clusterInstances}: ecs:ListTasks`,
  ],
  dispatch: [
    `${state}: ${items('BatchGetItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem')}`,
    `${state}/index/list: dynamodb:Query`,
    '*: sqs:ListQueues',
    ...['{MessagingLaunches.Arn}', timers, bells].map((queue) => `${queue}: sqs:SendMessage`),
    `${bells}: sqs:DeleteQueue`,
    `${clusterTasks}: ecs:DescribeTasks ecs:StopTask`,
    `${clusterInstances}: ecs:ListTasks`,
    `${bucket}: s3:ListBucket`,
    `${bucket}/agents/*: s3:GetObject`,
    `${bucket}/agents/*/copied/*: s3:PutObject`,
    `${bucket}/agents/*: s3:DeleteObject`,
    `${userSchedules}: ${scheduler('CreateSchedule', 'DeleteSchedule', 'GetSchedule', 'UpdateSchedule')}`,
    '{SchedulesUserRole.Arn}: iam:PassRole',
    ...['tasks', 'uploads', 'runs'].map((folder) => `${bucket}/${folder}/*: s3:GetObject`),
    ...['tasks', 'runs'].map((folder) => `${bucket}/${folder}/*: s3:PutObject`),
    `${work}: ${receive}`,
  ],
  launch: [
    `${state}: ${items('DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem')}`,
    `${taskDefinitions}: ecs:RunTask`,
    `${clusterTasks}: ecs:TagResource`,
    ...passedRoles.map((role) => `${role}: iam:PassRole`),
    `${bells}: sqs:CreateQueue sqs:DeleteQueue sqs:TagQueue`,
    `${timers}: sqs:SendMessage`,
    `{MessagingLaunches.Arn}: ${receive}`,
  ],
  record: [
    `${state}: ${items('GetItem', 'PutItem')}`,
    `${log}: ${items('PutItem', 'Query', 'UpdateItem')}`,
    `${work}: sqs:SendMessage`,
    '{MessagingBus.Arn}: events:PutEvents',
    `${bucket}/aws/lambda/*: s3:PutObject`,
    `${bucket}: s3:ListBucket`,
    `{StateStateTable.StreamArn}: ${items('DescribeStream', 'GetRecords', 'GetShardIterator')}`,
    `*: ${items('ListStreams')}`,
  ],
  sweep: [
    `${state}: ${items('BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem')}`,
    ...['{MessagingDeadLettersFifo.Arn}', '{MessagingDeadLetters.Arn}'].map(
      (queue) => `${queue}: sqs:DeleteMessage sqs:ReceiveMessage`,
    ),
    `${state}/index/due: ${items('Query')}`,
    `scheduler:~:schedule/*/*: ${scheduler('ListSchedules')}`,
    `${userSchedules}: ${scheduler('GetSchedule')}`,
    `${log}: ${items('PutItem', 'Query', 'UpdateItem')}`,
    `${work}: sqs:SendMessage`,
    '{MessagingBus.Arn}: events:PutEvents',
    `${bucket}: s3:ListBucket`,
    ...['DeleteObject', 'GetObject'].map((action) => `${bucket}/aws/lambda/*: s3:${action}`),
    ...['admin-key', 'token-key'].map((key) => `ssm:~:parameter/rouse/${key}: ssm:AddTagsToResource ssm:PutParameter`),
    'ssm:~:parameter/rouse/admin-key: ssm:GetParameter',
  ],
  timers: [`${work}: sqs:SendMessage`, `${timers}: ${receive}`],
  trigger: [`${work}: sqs:SendMessage`, `{MessagingTriggers.Arn}: ${receive}`],
  'task-events': [`${state}: ${items('DeleteItem', 'GetItem', 'UpdateItem')}`, `${work}: sqs:SendMessage`],
};

const all = Object.entries(synthesis.resources)
  .filter(([, { Type }]) => Type === 'AWS::IAM::Policy')
  .flatMap(([id, { Properties }]) =>
    (Properties.PolicyDocument as { Statement: Statement[] }).Statement.map((statement) => ({ id, statement })),
  );

describe('each function may do what the table says, and nothing else', () => {
  it.each(functionNames)('%s', (name) => {
    const logs = `{Functions${name.replace(/(^|-)([a-z])/g, (_, __, c: string) => c.toUpperCase())}Logs.Arn}`;
    expect(summaryOf(synthesis.functionStatements(name))).toEqual(
      [...grants[name], `${logs}: logs:CreateLogStream logs:PutLogEvents`].sort(),
    );
  });
});

describe('no grant is wider than it must be', () => {
  it('no action is a wildcard, and nothing is allowed by exception', () => {
    for (const { statement } of all) {
      expect(statement.Effect).toBe('Allow');
      expect(statement).not.toHaveProperty('NotAction');
      expect(statement).not.toHaveProperty('NotResource');
      for (const action of actionsOf(statement)) expect(action).not.toContain('*');
    }
  });

  it('every resource is named, but for three actions that know no resources', () => {
    const open = all.filter(({ statement }) => synthesis.texts(statement.Resource).includes('*'));
    expect(open.flatMap(({ statement }) => actionsOf(statement)).sort()).toEqual([
      'dynamodb:ListStreams',
      'ecr:GetAuthorizationToken',
      'sqs:ListQueues',
    ]);
  });

  it('no role has a managed policy', () => {
    for (const { Type, Properties } of Object.values(synthesis.resources)) {
      if (Type === 'AWS::IAM::Role') expect(Properties.ManagedPolicyArns).toBeUndefined();
    }
  });

  it('no policy is larger than IAM takes for a role', () => {
    for (const name of functionNames) {
      expect(JSON.stringify(synthesis.functionStatements(name)).length).toBeLessThan(10_240);
    }
  });
});

describe('conditions', () => {
  const conditionOf = (name: FunctionName, action: string) =>
    synthesis.functionStatements(name).find((statement) => actionsOf(statement).includes(action))?.Condition;

  it('roles are passed to ECS tasks by api and launch, to Scheduler by dispatch, and by nobody else', () => {
    const passing = all.filter(({ statement }) => actionsOf(statement).includes('iam:PassRole'));
    const passed = passing.map(({ id, statement }) => [id.replace(/DefaultPolicy.*/, ''), statement.Condition]);
    const to = (service: string) => ({ StringEquals: { 'iam:PassedToService': `${service}.amazonaws.com` } });
    expect(passed).toEqual([
      ['FunctionsApiRole', to('ecs-tasks')],
      ['FunctionsDispatchRole', to('scheduler')],
      ['FunctionsLaunchRole', to('ecs-tasks')],
    ]);
  });

  it.each<[FunctionName, string]>([
    ['launch', 'ecs:RunTask'],
    ['runtime', 'ecs:ListTasks'],
    ['dispatch', 'ecs:ListTasks'],
  ])('%s may %s in this cluster only', (name, action) => {
    const condition = conditionOf(name, action);
    expect(synthesis.text(condition?.ArnEquals?.['ecs:cluster'])).toBe('{ComputeCluster.Arn}');
  });

  it('task definitions are tagged only as they are registered', () => {
    expect(conditionOf('api', 'ecs:TagResource')).toEqual({
      StringEquals: { 'ecs:CreateAction': 'RegisterTaskDefinition' },
    });
  });

  it('tasks are tagged only as they are run', () => {
    expect(conditionOf('launch', 'ecs:TagResource')).toEqual({ StringEquals: { 'ecs:CreateAction': 'RunTask' } });
  });

  it("dispatch lists agents' files only", () => {
    expect(conditionOf('dispatch', 's3:ListBucket')).toEqual({ StringLike: { 's3:prefix': 'agents/*' } });
  });

  it('record lists failed records only', () => {
    expect(conditionOf('record', 's3:ListBucket')).toEqual({ StringLikeIfExists: { 's3:prefix': 'aws/lambda/*' } });
  });
});

describe('roles that are not of functions', () => {
  const trustOf = (id: string) =>
    (synthesis.byId(id).Properties.AssumeRolePolicyDocument as { Statement: Statement[] }).Statement;

  it('an agent reads its own files, writes where its runtime may, and hears its own bell', () => {
    expect(summaryOf(synthesis.statementsOf('AgentCredentialsRole'))).toEqual(
      [
        `sqs:~:rouse-bell-\${aws:PrincipalTag/runtime}: sqs:ReceiveMessage`,
        `${bucket}/agents/\${aws:PrincipalTag/tenant}/\${aws:PrincipalTag/agent}/*: s3:GetObject`,
        `${bucket}/agents/\${aws:PrincipalTag/tenant}/\${aws:PrincipalTag/agent}/runtimes/\${aws:PrincipalTag/runtime}/*: s3:PutObject`,
      ].sort(),
    );
  });

  it('the credentials of an agent are given by the runtime function only, with all three tags and no other', () => {
    const statements = trustOf('AgentCredentialsRole');
    expect(statements).toHaveLength(1);
    const statement = statements[0]!;
    expect(actionsOf(statement)).toEqual(['sts:AssumeRole', 'sts:TagSession']);
    expect(synthesis.text((statement.Principal as { AWS: unknown }).AWS)).toBe('{FunctionsRuntimeRole.Arn}');
    expect(statement.Condition).toEqual({
      Null: { 'aws:RequestTag/tenant': 'false', 'aws:RequestTag/agent': 'false', 'aws:RequestTag/runtime': 'false' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['tenant', 'agent', 'runtime'] },
    });
  });

  it('the default task role may do nothing', () => {
    expect(synthesis.statementsOf('ComputeTaskRole')).toEqual([]);
  });

  it('ECS pulls images, writes logs and reads secrets that are for agents', () => {
    const repository = 'ecr:~:repository/';
    const pull = 'ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer';
    expect(summaryOf(synthesis.statementsOf('ComputeExecutionRole'))).toEqual(
      [
        '*: ecr:GetAuthorizationToken',
        `${repository}cdk-hnb659fds-container-assets-\${AWS::AccountId}-\${AWS::Region}: ${pull}`,
        `${repository}rouse-agent/*: ${pull}`,
        'secretsmanager:~:secret:/rouse-agent/*: secretsmanager:GetSecretValue',
        'ssm:~:parameter/rouse-agent/*: ssm:GetParameters',
        '{ComputeAgentLogs.Arn}: logs:CreateLogStream logs:PutLogEvents',
      ].sort(),
    );
  });

  it.each([
    ['SchedulesSweepRole', ['{FunctionsSweepFunction.Arn}: lambda:InvokeFunction'], '{SchedulesSystemGroup.Arn}'],
    [
      'SchedulesUserRole',
      ['{MessagingDeadLetters.Arn}: sqs:SendMessage', '{MessagingTriggers.Arn}: sqs:SendMessage'],
      '{SchedulesUserGroup.Arn}',
    ],
  ])('%s serves its own schedule group', (id, summary, group) => {
    expect(summaryOf(synthesis.statementsOf(id))).toEqual(summary);
    const [statement] = trustOf(id);
    expect(statement?.Principal).toEqual({ Service: 'scheduler.amazonaws.com' });
    expect(synthesis.text(statement?.Condition?.ArnEquals?.['aws:SourceArn'])).toBe(group);
  });
});
