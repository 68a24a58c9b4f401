import { describe, expect, it } from 'vitest';
import { Synthesis } from './synthesis.ts';

const { template, resources } = new Synthesis();

/** Types that cost nothing by themselves, or only by request, by byte stored, or ten cents a month (the alarm). */
const freeWhenIdle = new Set([
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::CloudWatch::Alarm',
  'AWS::DynamoDB::Table',
  'AWS::EC2::InternetGateway',
  'AWS::EC2::Route',
  'AWS::EC2::RouteTable',
  'AWS::EC2::SecurityGroup',
  'AWS::EC2::Subnet',
  'AWS::EC2::SubnetRouteTableAssociation',
  'AWS::EC2::VPC',
  'AWS::EC2::VPCEndpoint',
  'AWS::EC2::VPCGatewayAttachment',
  'AWS::ECS::Cluster',
  'AWS::Events::EventBus',
  'AWS::Events::Rule',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::EventSourceMapping',
  'AWS::Lambda::Function',
  'AWS::Lambda::Permission',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SQS::Queue',
  'AWS::Scheduler::Schedule',
  'AWS::Scheduler::ScheduleGroup',
]);

describe('nothing is paid by the hour', () => {
  it('no NAT gateway, address, load balancer, database, service, key or secret: each type is known to be free', () => {
    const types = new Set(Object.values(resources).map(({ Type }) => Type));
    expect([...types].filter((type) => !freeWhenIdle.has(type))).toEqual([]);
  });

  it('endpoints are gateways', () => {
    template.resourceCountIs('AWS::EC2::VPCEndpoint', 2);
    template.allResourcesProperties('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' });
  });

  it('tables are on demand', () => {
    template.allResourcesProperties('AWS::DynamoDB::Table', { BillingMode: 'PAY_PER_REQUEST' });
  });

  it('no function has provisioned concurrency, and no poller is provisioned', () => {
    expect(JSON.stringify(resources)).not.toMatch(
      /ProvisionedConcurrency|ProvisionedThroughput|ProvisionedPollerConfig/,
    );
  });

  it('the cluster is not metered by Container Insights', () => {
    template.hasResourceProperties('AWS::ECS::Cluster', {
      ClusterSettings: [{ Name: 'containerInsights', Value: 'disabled' }],
    });
  });

  it('there is no custom resource', () => {
    const custom = Object.values(resources).filter(({ Type }) => /^Custom::|^AWS::CloudFormation::/.test(Type));
    expect(custom).toEqual([]);
  });
});
