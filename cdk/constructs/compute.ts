import { ArnFormat, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnCluster } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { AgentImage } from './agent-image.ts';

export interface ComputeProps {
  readonly image: AgentImage;
  readonly logRetention: RetentionDays;
  /** Of the log group. @default CloudWatch's own */
  readonly key?: IKey;
  /** Secrets and parameters besides those under `/rouse-agent/`. */
  readonly allowedSecretArns: readonly string[];
  /** ECR repositories besides those named `rouse-agent/…`. */
  readonly allowedRepositoryArns: readonly string[];
}

/** What a container of an agent needs besides its network: the cluster, its log group, and the roles of its task. */
export class Compute extends Construct {
  readonly clusterArn: string;
  readonly clusterName: string;
  readonly logGroup: LogGroup;
  /** Used by ECS before the container starts: image, secrets, logs. */
  readonly executionRole: Role;
  /** The agent's own, unless its template names another: it may do nothing, and that is enough to enrol. */
  readonly taskRole: Role;

  constructor(scope: Construct, id: string, props: ComputeProps) {
    super(scope, id);
    const stack = Stack.of(this);

    const cluster = new CfnCluster(this, 'Cluster', {
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
      clusterSettings: [{ name: 'containerInsights', value: 'disabled' }],
    });
    this.clusterArn = cluster.attrArn;
    this.clusterName = cluster.ref;

    this.logGroup = new LogGroup(this, 'AgentLogs', {
      retention: props.logRetention,
      encryptionKey: props.key,
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const ecsTasks = new ServicePrincipal('ecs-tasks.amazonaws.com');
    this.executionRole = new Role(this, 'ExecutionRole', { assumedBy: ecsTasks });
    // Only tasks of this account: the confused-deputy guard that the ECS guide gives for task roles.
    this.taskRole = new Role(this, 'TaskRole', {
      assumedBy: ecsTasks.withConditions({
        StringEquals: { 'aws:SourceAccount': stack.account },
        ArnLike: {
          'aws:SourceArn': stack.formatArn({ service: 'ecs', resource: '*', arnFormat: ArnFormat.NO_RESOURCE_NAME }),
        },
      }),
    });

    const allow = (actions: string[], resources: string[]) => {
      if (resources.length > 0) this.executionRole.addToPolicy(new PolicyStatement({ actions, resources }));
    };
    const ofService = (service: string) => props.allowedSecretArns.filter((arn) => arn.split(':')[2] === service);
    // GetAuthorizationToken has no resource to narrow it to (Service Authorization Reference, ECR).
    allow(['ecr:GetAuthorizationToken'], ['*']);
    allow(
      ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
      [
        ...(props.image.repositoryArn ? [props.image.repositoryArn] : []),
        stack.formatArn({ service: 'ecr', resource: 'repository', resourceName: 'rouse-agent/*' }),
        ...props.allowedRepositoryArns,
      ],
    );
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [this.logGroup.logGroupArn]);
    allow(
      ['secretsmanager:GetSecretValue'],
      [
        stack.formatArn({
          service: 'secretsmanager',
          resource: 'secret',
          resourceName: '/rouse-agent/*',
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
        ...ofService('secretsmanager'),
      ],
    );
    allow(
      ['ssm:GetParameters'],
      [stack.formatArn({ service: 'ssm', resource: 'parameter', resourceName: 'rouse-agent/*' }), ...ofService('ssm')],
    );
  }
}
