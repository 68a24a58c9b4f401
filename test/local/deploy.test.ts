import { beforeEach, describe, expect, inject, it } from 'vitest';
import { ManualClock } from '../../local/clock.ts';
import { type CloudAssembly, readAssembly, type Template } from '../../local/deploy/assembly.ts';
import { evaluate, inDependencyOrder, type Scope } from '../../local/deploy/intrinsics.ts';
import type { EmbeddedAws } from '../../local/embedded-aws.ts';
import { startEmbeddedAws } from '../support/embedded.ts';

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how Fn::Sub names its variables
describe('intrinsic functions', () => {
  const scope: Scope = {
    ref: (name) => (name === 'AWS::NoValue' ? undefined : `ref-${name}`),
    attribute: (logicalId, name) => `${logicalId}/${name}`,
    availabilityZones: ['a', 'b'],
  };
  it.each<[string, unknown, unknown]>([
    ['Ref', { Ref: 'X' }, 'ref-X'],
    ['Fn::GetAtt with a list', { 'Fn::GetAtt': ['X', 'Arn'] }, 'X/Arn'],
    ['Fn::GetAtt with a string', { 'Fn::GetAtt': 'X.Arn' }, 'X/Arn'],
    ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'X' }]] }, 'a-ref-X'],
    ['Fn::Split and Fn::Select', { 'Fn::Select': [1, { 'Fn::Split': [',', 'a,b'] }] }, 'b'],
    ['Fn::GetAZs', { 'Fn::Select': ['0', { 'Fn::GetAZs': '' }] }, 'a'],
    ['Fn::Sub', { 'Fn::Sub': '${X}/${X.Arn}/${!X}' }, 'ref-X/X/Arn/${X}'],
    ['Fn::Sub with variables', { 'Fn::Sub': ['${V}-${X}', { V: { Ref: 'Y' } }] }, 'ref-Y-ref-X'],
    ['AWS::NoValue', { a: 1, b: { Ref: 'AWS::NoValue' } }, { a: 1 }],
  ])('%s', (_name, value, expected) => {
    expect(evaluate(value, scope)).toEqual(expected);
  });

  it('refuses one that it does not know by its name', () => {
    expect(() => evaluate({ 'Fn::Cidr': [] }, scope)).toThrow('does not know the intrinsic function Fn::Cidr');
  });
});

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: that is how Fn::Sub names its variables

describe('the order of a deploy', () => {
  const resource = (needs: string[], DependsOn?: string) => ({
    Type: 'X',
    Properties: { needs: needs.map((Ref) => ({ Ref })) },
    ...(DependsOn ? { DependsOn } : {}),
  });

  it('puts each resource after those that it needs', () => {
    const Resources = { A: resource(['B']), B: resource([], 'C'), C: resource([]) };
    expect(inDependencyOrder({ Resources })).toEqual(['C', 'B', 'A']);
  });

  it('names the resources of a circle', () => {
    const Resources = { A: resource(['B']), B: resource(['A']) };
    expect(() => inDependencyOrder({ Resources })).toThrow('A -> B -> A');
  });
});

function assembly(Resources: Template['Resources'], Outputs: Template['Outputs'] = {}): CloudAssembly {
  const fileAssets = new Map([['code.zip', '/nowhere']]);
  return { stackName: 'Tiny', template: { Resources, Outputs }, fileAssets, imageAssets: new Map() };
}

describe('a deploy', () => {
  let aws: EmbeddedAws;
  beforeEach(async () => {
    aws = await startEmbeddedAws();
  });

  it('makes names as CloudFormation does, the same for each deploy', async () => {
    const Resources = { Queue: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: true } } };
    const outputs = { Url: { Value: { Ref: 'Queue' } }, Arn: { Value: { 'Fn::GetAtt': ['Queue', 'Arn'] } } };
    const first = await aws.deploy(assembly(Resources, outputs));
    expect(first.outputs.Arn).toMatch(/^arn:aws:sqs:us-east-1:000000000000:Tiny-Queue-[0-9A-F]{12}\.fifo$/);
    const other = await startEmbeddedAws();
    expect((await other.deploy(assembly(Resources, outputs))).outputs).toEqual(first.outputs);
  });

  it('changes what has changed and removes what the template has no more', async () => {
    const queue = (VisibilityTimeout: number) => ({ Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout } });
    const first = await aws.deploy(assembly({ A: queue(10), B: queue(10) }));
    await aws.deploy(assembly({ A: queue(20) }));
    const attribute = async (logicalId: string) => {
      const QueueUrl = first.resources.get(logicalId)!.physicalId;
      const input = { QueueUrl, AttributeNames: ['VisibilityTimeout'] };
      return aws.sqs.call('GetQueueAttributes', input, {} as never);
    };
    expect(await attribute('A')).toEqual({ Attributes: { VisibilityTimeout: '20' } });
    await expect(attribute('B')).rejects.toMatchObject({ code: 'QueueDoesNotExist' });
  });

  it.each<[string, Template['Resources'], string]>([
    [
      'an unknown type',
      { X: { Type: 'AWS::SNS::Topic' } },
      'Deploying X (AWS::SNS::Topic) failed: the embedded AWS does not know this resource type.',
    ],
    [
      'an unknown property',
      { X: { Type: 'AWS::SQS::Queue', Properties: { Colour: 'red' } } },
      'does not know its property Colour',
    ],
    [
      'an unknown attribute',
      {
        X: { Type: 'AWS::SQS::Queue' },
        Y: { Type: 'AWS::SQS::Queue', Properties: { QueueName: { 'Fn::GetAtt': ['X', 'Colour'] } } },
      },
      'does not know attribute Colour of AWS::SQS::Queue',
    ],
    [
      'a missing resource',
      { X: { Type: 'AWS::SQS::Queue', Properties: { QueueName: { Ref: 'Nobody' } } } },
      'there is no resource Nobody',
    ],
    [
      'another runtime',
      {
        X: {
          Type: 'AWS::Lambda::Function',
          Properties: { Runtime: 'python3.14', Handler: 'a.b', Role: 'r', Code: { S3Key: 'code.zip' } },
        },
      },
      'Only Node.js functions run locally, received Runtime python3.14',
    ],
  ])('refuses %s by its name', async (_case, resources, message) => {
    await expect(aws.deploy(assembly(resources))).rejects.toThrow(message);
  });
});

describe('the synthesized stack', () => {
  it('deploys whole: every queue, table, function and route that the CDK app wires', async () => {
    const aws = await startEmbeddedAws({ functions: () => () => ({ statusCode: 204 }) });
    const deployment = await aws.deploy(inject('assembly'));
    expect(deployment.outputs).toMatchObject({ ApiUrl: 'http://api.localhost', AdminKeyParameter: expect.any(String) });
    expect(aws.lambda.definitions()).toHaveLength(10);
    expect((await aws.request({ method: 'GET', path: '/v1/health' })).status).toBe(204);
  });

  it('has one Docker image asset, which holds the shim', () => {
    expect(readAssembly(inject('assembly')).imageAssets.size).toBe(1);
  });

  it('invokes the sweep each minute', async () => {
    const sweeps: number[] = [];
    const clock = new ManualClock();
    const aws = await startEmbeddedAws({
      clock,
      functions:
        ({ logicalId }) =>
        () => {
          if (logicalId.includes('Sweep')) sweeps.push(clock.now());
        },
    });
    await aws.deploy(inject('assembly'));
    await aws.advance(0);
    const deployedAt = clock.now();
    await aws.advance(180_000);
    const later = sweeps.filter((time) => time > deployedAt).map((time) => time - deployedAt);
    expect(later).toEqual([60_000, 120_000, 180_000]);
  });
});
