import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { type IKey, Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { FunctionName } from './functions.ts';

type Service = 'dynamodb' | 's3' | 'secretsmanager' | 'sqs' | 'ssm';
type KeyAction = 'Decrypt' | 'Encrypt' | 'GenerateDataKey';

/** What a role does with the key, service by service. */
type KeyUse = Partial<Record<Service, readonly KeyAction[]>>;

/**
 * Both for reading and for writing an item: on behalf of the caller DynamoDB asks only for its table key (Developer
 * Guide, "Table key caching"); it makes and keeps that key by a grant, which the table's maker gives.
 */
const items = ['Decrypt'] as const;
const read = ['Decrypt'] as const;
const write = ['GenerateDataKey'] as const;
/** Parts of a large object are read while they are written (S3 User Guide, "Multipart upload API and permissions"). */
const readAndWrite = ['Decrypt', 'GenerateDataKey'] as const;
/** To receive takes one of them. SQS verifies a data key that it has made (SQS Developer Guide, "Configure KMS permissions for producers"). */
const send = ['Decrypt', 'GenerateDataKey'] as const;

/** Bells are not encrypted with it: all they ever contain is the word "look". */
const functionUses: Readonly<Record<FunctionName, KeyUse>> = {
  api: { dynamodb: items, s3: readAndWrite, sqs: send },
  wait: { dynamodb: items, s3: read },
  runtime: { dynamodb: items, s3: readAndWrite, sqs: send, ssm: ['Decrypt'] },
  dispatch: { dynamodb: items, s3: readAndWrite, sqs: send },
  launch: { dynamodb: items, sqs: send },
  record: { dynamodb: items, s3: write, sqs: send },
  sweep: { dynamodb: items, s3: read, sqs: send, ssm: ['Decrypt', 'Encrypt'] },
  timers: { sqs: send },
  trigger: { sqs: send },
  'task-events': { dynamodb: items, sqs: send },
};

/** Roles that are not of functions. */
export const roleUses = {
  agentCredentials: { s3: readAndWrite },
  /** Secrets of agents that their owner has encrypted with the same key. */
  execution: { secretsmanager: ['Decrypt'], ssm: ['Decrypt'] },
  schedules: { sqs: send },
} as const satisfies Record<string, KeyUse>;

/**
 * A KMS key of the customer's, which tables, bucket, queues, parameters and log groups are encrypted with. A role may
 * use it only by way of the services that it uses it for, so that what the role may read there is all it can decrypt.
 *
 * Its policy is the customer's business (README, "A key of your own"): the stack can't change it.
 */
export class OwnKey extends Construct {
  readonly key: IKey;

  constructor(scope: Construct, id: string, keyArn: string) {
    super(scope, id);
    this.key = Key.fromKeyArn(this, 'Key', keyArn);
  }

  /** What a function does with the key, what Lambda does with its role to receive messages and records included. */
  functionStatements(name: FunctionName): PolicyStatement[] {
    return this.statements(functionUses[name]);
  }

  grant(role: Role, use: KeyUse): void {
    for (const statement of this.statements(use)) role.addToPolicy(statement);
  }

  private statements(use: KeyUse): PolicyStatement[] {
    const { region, urlSuffix } = Stack.of(this);
    return Object.entries(use).map(
      ([service, actions]) =>
        new PolicyStatement({
          actions: actions.map((action) => `kms:${action}`),
          resources: [this.key.keyArn],
          conditions: { StringEquals: { 'kms:ViaService': `${service}.${region}.${urlSuffix}` } },
        }),
    );
  }
}
