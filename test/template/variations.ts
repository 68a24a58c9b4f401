/** The default template and each documented variation of it, by the context of the CDK app. */
export const variations: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  default: {},
  'an existing VPC with public subnets': {
    vpcId: 'vpc-0a1b2c3d4e5f60718',
    subnetIds: 'subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719',
    assignPublicIp: 'true',
  },
  'an existing VPC behind a NAT': {
    vpcId: 'vpc-0a1b2c3d4e5f60718',
    subnetIds: 'subnet-0a1b2c3d4e5f60718',
    assignPublicIp: 'false',
  },
  'an own image': { agentImage: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/agent:1' },
  'an own key': { kmsKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab' },
  'an image for both architectures': { agentArchitectures: 'arm64,x86_64' },
  'own roles, secrets and repositories': {
    allowedTaskRoleArns: 'arn:aws:iam::123456789012:role/agents/*,arn:aws:iam::123456789012:role/reader',
    allowedSecretArns:
      'arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-*,arn:aws:ssm:eu-central-1:123456789012:parameter/keys/*',
    allowedRepositoryArns: 'arn:aws:ecr:eu-central-1:123456789012:repository/agents',
  },
  'a second stack that goes without a trace': {
    stackName: 'RouseStaging',
    removalPolicy: 'destroy',
    logRetentionDays: '7',
  },
  'limits of a tenant': { maxAgents: '1000', maxRuntimes: '50', evictIdle: 'true', launchesPerSecond: '5' },
  'events, alarms and reserved concurrency': {
    busEventTypes: 'task.succeeded,task.failed',
    alarmTopicArn: 'arn:aws:sns:eu-central-1:123456789012:alarms',
    reservedConcurrency: 'runtime=20,wait=50',
  },
};

/** Each template is checked against what these regions have: every partition, old regions and a new one. */
export const regions = ['us-east-1', 'eu-central-1', 'ap-southeast-2', 'il-central-1', 'us-gov-west-1', 'cn-north-1'];
