import type { ResourceType } from '../resource.ts';

/** Resources that only have to exist by name: nothing local enforces policies or watches alarms. */
function passive(ignores: readonly string[]): ResourceType {
  return {
    reads: [],
    ignores,
    deploy: (request) => {
      const physicalId = request.generatedName(128);
      return { physicalId, attributes: { Id: physicalId } };
    },
  };
}

const role: ResourceType = {
  reads: ['RoleName', 'Path', 'AssumeRolePolicyDocument'],
  ignores: ['Description', 'ManagedPolicyArns', 'MaxSessionDuration', 'PermissionsBoundary', 'Policies', 'Tags'],
  deploy(request) {
    const { accountId } = request.target.environment;
    const name = request.text('RoleName') ?? request.generatedName(64);
    const arn = `arn:aws:iam::${accountId}:role${request.text('Path') ?? '/'}${name}`;
    request.target.roles.add(arn);
    return { physicalId: name, attributes: { Arn: arn, RoleId: `AROA${request.digest('role', 16).toUpperCase()}` } };
  },
};

const alarm: ResourceType = {
  reads: ['AlarmName'],
  ignores: [
    ...['ActionsEnabled', 'AlarmActions', 'AlarmDescription', 'ComparisonOperator', 'DatapointsToAlarm', 'Dimensions'],
    ...['EvaluationPeriods', 'ExtendedStatistic', 'InsufficientDataActions', 'MetricName', 'Metrics', 'Namespace'],
    ...['OKActions', 'Period', 'Statistic', 'Tags', 'Threshold', 'TreatMissingData', 'Unit'],
  ],
  deploy(request) {
    const name = request.text('AlarmName') ?? request.generatedName(128);
    return { physicalId: name, attributes: { Arn: request.arn('cloudwatch', `alarm:${name}`) } };
  },
};

export const passiveTypes: Record<string, ResourceType> = {
  'AWS::IAM::Role': role,
  'AWS::IAM::Policy': passive(['PolicyDocument', 'PolicyName', 'Roles']),
  'AWS::IAM::ManagedPolicy': passive(['PolicyDocument', 'ManagedPolicyName', 'Description', 'Path', 'Roles']),
  'AWS::SQS::QueuePolicy': passive(['PolicyDocument', 'Queues']),
  'AWS::S3::BucketPolicy': passive(['PolicyDocument', 'Bucket']),
  'AWS::Lambda::Permission': passive(['Action', 'FunctionName', 'Principal', 'SourceAccount', 'SourceArn']),
  'AWS::CloudWatch::Alarm': alarm,
  'AWS::CloudWatch::Dashboard': passive(['DashboardBody', 'DashboardName']),
  'AWS::CDK::Metadata': passive(['Analytics']),
};
