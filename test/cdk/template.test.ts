import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { type FunctionName, functionNames } from '../../cdk/constructs/functions.ts';
import { type Config, parseConfig } from '../../lib/config.ts';
import { Synthesis } from './synthesis.ts';

const synthesis = new Synthesis();
const { template } = synthesis;

const ofType = (type: string) => Object.values(synthesis.resources).filter(({ Type }) => Type === type);

describe('the functions', () => {
  it.each<[FunctionName, number, number]>([
    ['api', 29, 512],
    ['wait', 29, 256],
    ['runtime', 29, 512],
    ['dispatch', 10, 512],
    ['launch', 15, 256],
    ['record', 30, 256],
    ['sweep', 30, 256],
    ['timers', 10, 256],
    ['trigger', 10, 256],
    ['task-events', 10, 256],
  ])('%s has %i s and %i MB', (name, Timeout, MemorySize) => {
    expect(synthesis.lambda(name)).toMatchObject({ Timeout, MemorySize });
  });

  it('are all there is', () => {
    template.resourceCountIs('AWS::Lambda::Function', functionNames.length);
  });

  it('run on Node 24 and arm64, and log JSON without the lines of Lambda itself', () => {
    template.allResourcesProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      LoggingConfig: { LogFormat: 'JSON', SystemLogLevel: 'WARN', ApplicationLogLevel: 'INFO' },
    });
  });

  it('all get the same environment', () => {
    const environments = functionNames.map((name) => synthesis.lambda(name).Environment);
    expect(new Set(environments.map((environment) => JSON.stringify(environment))).size).toBe(1);
  });

  it('get an environment that they can parse', () => {
    const { Variables } = synthesis.lambda('api').Environment as { Variables: Record<string, unknown> };
    const deployed: Record<string, string> = {
      ROUSE_CLUSTER: 'arn:aws:ecs:eu-west-1:111122223333:cluster/c',
      ROUSE_API_URL: 'https://abc.execute-api.eu-west-1.amazonaws.com',
    };
    const resolve = (variable: string, value: unknown) =>
      /_ARN$/.test(variable)
        ? 'arn:aws:iam::111122223333:role/r'
        : /_QUEUE_URLS?$/.test(variable)
          ? 'https://sqs.eu-west-1.amazonaws.com/111122223333/q'
          : (deployed[variable] ?? synthesis.text(value));
    const config = parseConfig(Object.fromEntries(Object.entries(Variables).map(([k, v]) => [k, resolve(k, v)])));
    expect(config).toMatchObject({
      stack: 'rouse',
      assignPublicIp: 'ENABLED',
      busEventTypes: [],
      logRetentionDays: 30,
      adminKeyParameter: '/rouse/admin-key',
      tokenKeyParameter: '/rouse/token-key',
      subnets: ['{NetworkVpcPublicSubnet1Subnet}', '{NetworkVpcPublicSubnet2Subnet}'],
    } satisfies Partial<Config>);
  });

  it('may loop through queues only where every hop waits for a due time', () => {
    const looping = functionNames.filter((name) => synthesis.lambda(name).RecursiveLoop === 'Allow');
    expect(looping).toEqual(['dispatch', 'launch', 'timers']);
  });

  it('write to log groups that are kept for 30 days', () => {
    template.resourceCountIs('AWS::Logs::LogGroup', functionNames.length + 1);
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  });
});

describe('the state', () => {
  it('is a table by pk and sk with a stream, two keys-only indexes, expiry and recovery', () => {
    template.hasResourceProperties('AWS::DynamoDB::Table', {
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: Match.arrayWith([{ AttributeName: 'dueAt', AttributeType: 'N' }]),
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      GlobalSecondaryIndexes: [
        {
          IndexName: 'list',
          KeySchema: [
            { AttributeName: 'listPk', KeyType: 'HASH' },
            { AttributeName: 'listSk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'duePk', KeyType: 'HASH' },
            { AttributeName: 'dueAt', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    });
  });

  it('has a log table with a feed, expiry and recovery, and no stream', () => {
    const log = synthesis.byId('StateLogTable').Properties;
    expect(log).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      GlobalSecondaryIndexes: [{ IndexName: 'feed', Projection: { ProjectionType: 'KEYS_ONLY' } }],
    });
    expect(log.StreamSpecification).toBeUndefined();
  });

  it('is kept when the stack is deleted', () => {
    for (const id of ['StateStateTable', 'StateLogTable', 'StateBucket']) {
      expect(synthesis.byId(id).DeletionPolicy).toBe('RetainExceptOnCreate');
    }
  });

  it('keeps the bucket private and encrypted', () => {
    template.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: Match.anyValue(),
    });
  });
});

describe('the queues', () => {
  const queue = (id: string) => synthesis.byId(`Messaging${id}`).Properties;
  const deadLettersOf = (id: string) => {
    const policy = queue(id).RedrivePolicy as { deadLetterTargetArn: unknown; maxReceiveCount: number };
    return [synthesis.text(policy.deadLetterTargetArn), policy.maxReceiveCount];
  };

  it('are six', () => {
    template.resourceCountIs('AWS::SQS::Queue', 6);
  });

  it.each([
    ['Work', 60],
    ['Launches', 60],
  ])('%s is a high-throughput FIFO queue that hides a message for %i s', (id, VisibilityTimeout) => {
    expect(queue(id)).toMatchObject({
      FifoQueue: true,
      DeduplicationScope: 'messageGroup',
      FifoThroughputLimit: 'perMessageGroupId',
      VisibilityTimeout,
    });
    expect(deadLettersOf(id)).toEqual(['{MessagingDeadLettersFifo.Arn}', 3]);
  });

  it.each(['Timers', 'Triggers'])('%s is a standard queue', (id) => {
    expect(queue(id)).toMatchObject({ VisibilityTimeout: 60 });
    expect(queue(id).FifoQueue).toBeUndefined();
    expect(deadLettersOf(id)).toEqual(['{MessagingDeadLetters.Arn}', 3]);
  });

  it('hide a message for several times as long as its function may take', () => {
    for (const { Properties } of ofType('AWS::Lambda::EventSourceMapping')) {
      const id = /^\{(Messaging.*)\.Arn\}$/.exec(synthesis.text(Properties.EventSourceArn))?.[1];
      if (id === undefined) continue;
      const name = /^\{Functions(.*)Function\}$/.exec(synthesis.text(Properties.FunctionName))?.[1] ?? '';
      const { Timeout } = synthesis.byId(`Functions${name}Function`).Properties;
      expect(synthesis.byId(id).Properties.VisibilityTimeout).toBeGreaterThanOrEqual(4 * Number(Timeout));
    }
  });
});

describe('what wakes the functions', () => {
  it.each([
    ['Work', 'MessagingWork', 'Dispatch'],
    ['Launches', 'MessagingLaunches', 'Launch'],
    ['Timers', 'MessagingTimers', 'Timers'],
    ['Triggers', 'MessagingTriggers', 'Trigger'],
  ])('%s: %s goes to %s, ten at a time, each failure by itself', (id, queue, name) => {
    const mapping = synthesis.byId(`EventSources${id}`).Properties;
    expect(synthesis.text(mapping.EventSourceArn)).toBe(`{${queue}.Arn}`);
    expect(synthesis.text(mapping.FunctionName)).toBe(`{Functions${name}Function}`);
    expect(mapping).toMatchObject({ BatchSize: 10, FunctionResponseTypes: ['ReportBatchItemFailures'] });
  });

  it('are no more pollers than these and the stream', () => {
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 5);
  });

  it('is the stream of the state table for the recorder, with finite retries and failures to S3', () => {
    const mapping = synthesis.byId('EventSourcesStream').Properties;
    expect(synthesis.text(mapping.EventSourceArn)).toBe('{StateStateTable.StreamArn}');
    expect(synthesis.text(mapping.FunctionName)).toBe('{FunctionsRecordFunction}');
    expect(mapping).toMatchObject({
      BatchSize: 100,
      ParallelizationFactor: 10,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 10,
      StartingPosition: 'TRIM_HORIZON',
    });
    const { OnFailure } = mapping.DestinationConfig as { OnFailure: { Destination: unknown } };
    expect(synthesis.text(OnFailure.Destination)).toBe('{StateBucket.Arn}');
  });

  it('are only heads and live rows of that stream', () => {
    const { Filters } = synthesis.byId('EventSourcesStream').Properties.FilterCriteria as {
      Filters: { Pattern: string }[];
    };
    expect(Filters.map(({ Pattern }) => JSON.parse(Pattern))).toEqual([
      { eventName: ['INSERT', 'MODIFY'], dynamodb: { Keys: { sk: { S: ['head', { prefix: 'live#' }] } } } },
    ]);
  });

  it("are ECS's events of this cluster alone", () => {
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.ecs'],
        'detail-type': ['ECS Task State Change'],
        detail: { clusterArn: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^ComputeCluster'), 'Arn'] }] },
      },
      Targets: [{ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^FunctionsTaskEventsFunction'), 'Arn'] } }],
    });
  });

  it('is a schedule every minute for the sweep, and a late sweep is dropped', () => {
    template.hasResourceProperties('AWS::Scheduler::Schedule', {
      ScheduleExpression: 'rate(1 minute)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^FunctionsSweepFunction'), 'Arn'] },
        RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 },
      },
    });
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      MaximumEventAgeInSeconds: 60,
      MaximumRetryAttempts: 0,
    });
  });
});

describe('the HTTP API', () => {
  const functionOf = (routeKey: string) => {
    const routes = ofType('AWS::ApiGatewayV2::Route').filter(({ Properties }) => Properties.RouteKey === routeKey);
    const target = synthesis.text(routes[0]?.Properties.Target).replace('integrations/', '');
    const integration = synthesis.byId(target.slice(1, -1)).Properties;
    expect(integration).toMatchObject({ IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' });
    return synthesis.text(integration.IntegrationUri);
  };

  it.each([
    ['GET /v1/tasks/{id}', 'Wait'],
    ['GET /v1/events', 'Wait'],
    ['GET /v1/agents/{id}/logs', 'Wait'],
    ['GET /v1/runs/{id}', 'Wait'],
    ['ANY /v1/runtime/{proxy+}', 'Runtime'],
    ['$default', 'Api'],
  ])('sends %s to %s', (routeKey, name) => {
    expect(functionOf(routeKey)).toBe(`{Functions${name}Function.Arn}`);
  });

  it('has no other route, no authorizer and one stage that deploys itself', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 6);
    template.resourceCountIs('AWS::ApiGatewayV2::Authorizer', 0);
    template.allResourcesProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'NONE' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', { StageName: '$default', AutoDeploy: true });
  });
});

describe('the rest', () => {
  it('is a cluster of Fargate and Fargate Spot', () => {
    template.hasResourceProperties('AWS::ECS::Cluster', { CapacityProviders: ['FARGATE', 'FARGATE_SPOT'] });
  });

  it('lets nothing in to the agents', () => {
    const group = synthesis.byId('NetworkAgentSecurityGroup').Properties;
    expect(group.SecurityGroupIngress).toBeUndefined();
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
  });

  it('is an alarm when the recorder is behind', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'IteratorAge',
      Dimensions: [{ Name: 'FunctionName', Value: { Ref: Match.stringLikeRegexp('^FunctionsRecordFunction') } }],
      Threshold: 60_000,
    });
  });

  it('tells where the API and the first key are', () => {
    const outputs = template.toJSON().Outputs as Record<string, { Value: unknown }>;
    expect(synthesis.text(outputs.ApiUrl?.Value)).toBe('{ApiHttpApi.ApiEndpoint}');
    expect(outputs.AdminKeyParameter?.Value).toBe('/rouse/admin-key');
    expect(Object.keys(outputs)).toEqual([
      'ApiUrl',
      'AdminKeyParameter',
      'Cluster',
      'StateTable',
      'LogTable',
      'Bucket',
    ]);
  });

  it('has no key of its own', () => {
    expect(ofType('AWS::SSM::Parameter')).toEqual([]);
    expect(JSON.stringify(template.toJSON())).not.toMatch(/rouse_/);
  });

  it('is tagged with the stack', () => {
    expect(synthesis.stack.tags.tagValues()).toEqual({ 'rouse:stack': 'rouse' });
  });

  it('needs no parameter, condition, mapping or rule of CloudFormation', () => {
    expect(Object.keys(template.toJSON())).toEqual(['Description', 'Resources', 'Outputs']);
  });

  it('has no cycle', () => {
    const { resources } = synthesis;
    const needs = (id: string) =>
      [...JSON.stringify(resources[id]).matchAll(/"(?:Ref":"|Fn::GetAtt":\[")([^"]+)"/g)]
        .map(([, needed]) => needed!)
        .concat(resources[id]?.DependsOn ?? [])
        .filter((needed) => needed in resources);
    const done = new Set<string>();
    const visit = (id: string, path: string[]): void => {
      if (done.has(id)) return;
      expect(path).not.toContain(id);
      for (const needed of needs(id)) visit(needed, [...path, id]);
      done.add(id);
    };
    for (const id of Object.keys(resources)) visit(id, []);
    expect(done.size).toBe(Object.keys(resources).length);
  });
});
