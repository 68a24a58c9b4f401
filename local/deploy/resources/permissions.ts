import type { PolicyDocument } from '../../iam/policy.ts';
import type { ResourceRequest, ResourceType } from '../resource.ts';

const documentOf = (request: ResourceRequest) => request.properties.PolicyDocument as PolicyDocument;

const role: ResourceType = {
  reads: ['RoleName', 'Path', 'AssumeRolePolicyDocument', 'Policies'],
  ignores: ['Description', 'MaxSessionDuration', 'Tags'],
  deploy(request) {
    const { target, properties } = request;
    const name = request.text('RoleName') ?? request.generatedName(64);
    const arn = `arn:aws:iam::${target.environment.accountId}:role${request.text('Path') ?? '/'}${name}`;
    target.iam.putRole(arn, properties.AssumeRolePolicyDocument as PolicyDocument);
    for (const { PolicyDocument } of (properties.Policies ?? []) as { PolicyDocument: PolicyDocument }[])
      target.iam.attachPolicy(name, PolicyDocument);
    return { physicalId: name, attributes: { Arn: arn, RoleId: `AROA${request.digest('role', 16).toUpperCase()}` } };
  },
  remove(resource, target) {
    target.iam.removeRole(resource.attributes.Arn!);
  },
};

/** Roles are put anew in each deploy, so that their policies are attached once. */
function policy(ignores: readonly string[]): ResourceType {
  return {
    reads: ['PolicyDocument', 'Roles'],
    ignores,
    deploy(request) {
      for (const name of (request.properties.Roles ?? []) as string[])
        request.target.iam.attachPolicy(name, documentOf(request));
      const physicalId = request.generatedName(128);
      return { physicalId, attributes: { Id: physicalId } };
    },
  };
}

const queuePolicy: ResourceType = {
  reads: ['PolicyDocument', 'Queues'],
  deploy(request) {
    for (const url of request.properties.Queues as string[])
      request.target.iam.putResourcePolicy(
        request.arn('sqs', url.slice(url.lastIndexOf('/') + 1)),
        documentOf(request),
      );
    return { physicalId: request.generatedName(128), attributes: {} };
  },
};

const bucketPolicy: ResourceType = {
  reads: ['PolicyDocument', 'Bucket'],
  deploy(request) {
    request.target.iam.putResourcePolicy(`arn:aws:s3:::${request.required('Bucket')}`, documentOf(request));
    return { physicalId: request.generatedName(128), attributes: {} };
  },
};

const permission: ResourceType = {
  reads: ['Action', 'FunctionName', 'Principal', 'SourceAccount', 'SourceArn'],
  deploy(request) {
    const { target } = request;
    const name = request.required('FunctionName');
    const source = request.text('SourceArn');
    const account = request.text('SourceAccount');
    target.iam.permit(name.startsWith('arn:') ? name : request.arn('lambda', `function:${name}`), {
      Sid: request.logicalId,
      Effect: 'Allow',
      Action: request.required('Action'),
      Principal: { Service: request.required('Principal') },
      Condition: {
        ...(source !== undefined && { ArnLike: { 'aws:SourceArn': source } }),
        ...(account !== undefined && { StringEquals: { 'aws:SourceAccount': account } }),
      },
    });
    return { physicalId: request.generatedName(128), attributes: {} };
  },
};

export const permissionTypes: Record<string, ResourceType> = {
  'AWS::IAM::Role': role,
  'AWS::IAM::Policy': policy(['PolicyName']),
  'AWS::IAM::ManagedPolicy': policy(['ManagedPolicyName', 'Description', 'Path']),
  'AWS::SQS::QueuePolicy': queuePolicy,
  'AWS::S3::BucketPolicy': bucketPolicy,
  'AWS::Lambda::Permission': permission,
};
