import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  ApplicationLogLevel,
  Architecture,
  type Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface RouseFunctionProps {
  readonly code: Code;
  readonly timeoutSeconds: number;
  readonly memoryMiB: number;
  readonly logRetention: RetentionDays;
  /** Of the log group. @default CloudWatch's own */
  readonly key?: IKey;
  /**
   * Lets the function take part in a loop through SQS. Lambda cuts loops after about 16 hops otherwise.
   * @default false
   */
  readonly allowLoop?: boolean;
  /** @default none: it shares the account's */
  readonly reservedConcurrency?: number;
}

/** A Lambda function with a role of its own, which may write its own log group and nothing else. */
export class RouseFunction extends Construct {
  readonly role: Role;
  readonly lambda: LambdaFunction;

  constructor(scope: Construct, id: string, props: RouseFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetention,
      encryptionKey: props.key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.lambda = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: props.code,
      role: this.role,
      timeout: Duration.seconds(props.timeoutSeconds),
      memorySize: props.memoryMiB,
      logGroup,
      // START, END and REPORT are INFO: three lines of every call, which would be most of the bill for logs.
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: SystemLogLevel.WARN,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      recursiveLoop: props.allowLoop ? RecursiveLoop.ALLOW : undefined,
      reservedConcurrentExecutions: props.reservedConcurrency,
    });

    this.role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
  }
}
