import { describe, expect, it } from 'vitest';
import { readSettings } from '../../cdk/settings.ts';
import { actionsOf, Synthesis } from './synthesis.ts';

const variableOf = (synthesis: Synthesis, name: string): string => {
  const { Variables } = synthesis.lambda('api').Environment as { Variables: Record<string, unknown> };
  return synthesis.text(Variables[name]);
};

const executionResources = (synthesis: Synthesis, action: string): string[] =>
  synthesis
    .statementsOf('ComputeExecutionRole')
    .filter((statement) => actionsOf(statement).includes(action))
    .flatMap((statement) => synthesis.texts(statement.Resource));

describe('with the context of a trial in an existing network', () => {
  const synthesis = new Synthesis({
    stackName: 'RouseStaging',
    vpcId: 'vpc-0a1b',
    subnetIds: 'subnet-1, subnet-2',
    assignPublicIp: 'false',
    agentImage: '111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/agent:7',
    removalPolicy: 'destroy',
    logRetentionDays: '7',
    busEventTypes: 'task.succeeded,task.failed',
    maxAgents: '1000',
    maxRuntimes: '50',
    evictIdle: 'true',
    launchesPerSecond: '5',
    reservedConcurrency: 'runtime=20,wait=50',
    alarmTopicArn: 'arn:aws:sns:eu-west-1:111122223333:alarms',
    allowedTaskRoleArns: 'arn:aws:iam::111122223333:role/data',
    allowedSecretArns:
      'arn:aws:ssm:eu-west-1:111122223333:parameter/shared/*,arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-*',
    allowedRepositoryArns: 'arn:aws:ecr:eu-west-1:111122223333:repository/tools',
  });
  const { template } = synthesis;

  it('no network is made but a security group in that VPC', () => {
    const network = Object.values(synthesis.resources).filter(({ Type }) => Type.startsWith('AWS::EC2::'));
    expect(network).toMatchObject([{ Type: 'AWS::EC2::SecurityGroup', Properties: { VpcId: 'vpc-0a1b' } }]);
    expect(variableOf(synthesis, 'ROUSE_SUBNETS')).toBe('subnet-1,subnet-2');
    expect(variableOf(synthesis, 'ROUSE_ASSIGN_PUBLIC_IP')).toBe('DISABLED');
  });

  it('the image is taken as given, and ECS may pull its repository', () => {
    const uri = '111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/agent:7';
    expect(variableOf(synthesis, 'ROUSE_AGENT_IMAGE')).toBe(uri);
    expect(executionResources(synthesis, 'ecr:BatchGetImage')).toEqual([
      'arn:{AWS::Partition}:ecr:eu-west-1:111122223333:repository/team/agent',
      'arn:{AWS::Partition}:ecr:{AWS::Region}:{AWS::AccountId}:repository/rouse-agent/*',
      'arn:aws:ecr:eu-west-1:111122223333:repository/tools',
    ]);
  });

  it('names that are made at run time begin with the name of the stack', () => {
    expect(variableOf(synthesis, 'ROUSE_STACK')).toBe('rouse-staging');
    expect(variableOf(synthesis, 'ROUSE_ADMIN_KEY_PARAMETER')).toBe('/rouse-staging/admin-key');
    template.hasResourceProperties('AWS::Events::EventBus', { Name: 'rouse-staging' });
    expect(JSON.stringify(synthesis.functionStatements('launch'))).toContain(':rouse-staging-bell-*');
  });

  it('tables and bucket go with the stack', () => {
    for (const id of ['StateStateTable', 'StateLogTable', 'StateBucket']) {
      expect(synthesis.byId(id).DeletionPolicy).toBe('Delete');
    }
  });

  it('logs and events are kept as long as it says', () => {
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 7 });
    expect(variableOf(synthesis, 'ROUSE_LOG_RETENTION_DAYS')).toBe('7');
  });

  it('event types go to the functions', () => {
    expect(variableOf(synthesis, 'ROUSE_BUS_EVENT_TYPES')).toBe('task.succeeded,task.failed');
    expect(variableOf(synthesis, 'ROUSE_MAX_RUNTIMES')).toBe('50');
    expect(variableOf(synthesis, 'ROUSE_LAUNCHES_PER_SECOND')).toBe('5');
  });

  it('concurrency is reserved where it says', () => {
    expect(synthesis.lambda('runtime').ReservedConcurrentExecutions).toBe(20);
    expect(synthesis.lambda('wait').ReservedConcurrentExecutions).toBe(50);
    expect(synthesis.lambda('api').ReservedConcurrentExecutions).toBeUndefined();
  });

  it('the alarm notifies the topic', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: ['arn:aws:sns:eu-west-1:111122223333:alarms'],
    });
  });

  it('the roles that it allows may be passed', () => {
    for (const name of ['api', 'launch'] as const) {
      const passing = synthesis.functionStatements(name).find((s) => actionsOf(s).includes('iam:PassRole'));
      expect(synthesis.texts(passing?.Resource)).toContain('arn:aws:iam::111122223333:role/data');
    }
  });

  it('the secrets that it allows may be read, each by its own service', () => {
    expect(executionResources(synthesis, 'ssm:GetParameters')[1]).toMatch(/parameter\/shared\/\*$/);
    expect(executionResources(synthesis, 'secretsmanager:GetSecretValue')[1]).toMatch(/secret:db-\*$/);
  });
});

describe('the agent image', () => {
  it('is built for arm64 unless the context says otherwise', () => {
    expect(new Synthesis().platforms).toEqual(['linux/arm64']);
  });

  it('is built for both architectures when both are wanted', () => {
    expect(new Synthesis({ agentArchitectures: 'arm64,x86_64' }).platforms).toEqual(['linux/arm64,linux/amd64']);
  });

  it('is neither built nor in need of a permission of ECR when it is public', () => {
    const synthesis = new Synthesis({ agentImage: 'public.ecr.aws/example/agent:1' });
    expect(synthesis.platforms).toEqual([]);
    expect(executionResources(synthesis, 'ecr:BatchGetImage')).toHaveLength(1);
  });
});

describe('readSettings', () => {
  const read = (context: Record<string, unknown>) => () => readSettings((key) => context[key]);

  it('needs nothing', () => {
    expect(read({})()).toEqual({ stackName: 'Rouse' });
  });

  it('takes values of cdk.json that are not text', () => {
    expect(read({ logRetentionDays: 14, busEventTypes: ['task.failed'] })()).toMatchObject({
      logRetentionDays: 14,
      busEventTypes: ['task.failed'],
    });
  });

  it.each([
    [{ stackName: 'rouse_1' }, 'stackName is "rouse_1": wanted 1 to 32 letters, digits and hyphens, a letter first.'],
    [{ stackName: 'aB'.repeat(16) }, 'wanted fewer capitals: in kebab case it may have 45 characters.'],
    [{ stackName: 'AwsRouse' }, 'AWS reserves parameters that begin with aws or ssm'],
    [{ stackName: 'Default' }, 'AWS reserves parameters that begin with aws or ssm, and the event bus default.'],
    [{ removalPolicy: 'keep' }, 'removalPolicy is "keep": wanted retain or destroy.'],
    [{ logRetentionDays: '8' }, 'logRetentionDays is "8": wanted one of 1, 3, 5, 7, 14, 30'],
    [{ logRetentionDays: 'long' }, 'logRetentionDays is "long": wanted a number of days.'],
    [{ agentArchitectures: 'amd64' }, 'agentArchitectures is "amd64": wanted arm64 and x86_64, separated by commas.'],
    [{ agentImage: 'an image' }, 'agentImage is "an image": wanted the URI of an image.'],
    [{ maxRuntimes: '0' }, 'maxRuntimes is "0": wanted a whole number from 1 to 9999999.'],
    [{ launchesPerSecond: 21 }, 'launchesPerSecond is 21: wanted a whole number from 1 to 20.'],
    [{ reservedConcurrency: 'waiter=5' }, 'reservedConcurrency is "waiter=5": wanted function=number'],
    [{ allowedTaskRoleArns: 'admin' }, 'allowedTaskRoleArns is "admin": wanted ARNs of roles, separated by commas.'],
    [{ vpcId: 'vpc-1' }, 'An existing VPC needs vpcId, subnetIds and assignPublicIp together'],
    [
      { vpcId: 'vpc-1', subnetIds: 'subnet-1', assignPublicIp: 'yes' },
      'assignPublicIp is "yes": wanted true or false.',
    ],
  ])('refuses %o with what was given and what is wanted', (context, message) => {
    expect(read(context)).toThrow(message);
  });

  it('names all that is wrong at once', () => {
    expect(read({ stackName: '', removalPolicy: '' })).toThrow(/stackName is "".*\n.*removalPolicy is ""/);
  });
});
