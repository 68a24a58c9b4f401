import { describe, expect, it } from 'vitest';
import { type FunctionName, functionNames } from '../../cdk/constructs/functions.ts';
import { readSettings } from '../../cdk/settings.ts';
import { actionsOf, type Statement, Synthesis } from './synthesis.ts';

const kmsKeyArn = 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const keyed = new Synthesis({ kmsKeyArn });
const plain = new Synthesis();

const isOnKey = (statement: Statement) => actionsOf(statement).every((action) => action.startsWith('kms:'));

/** `service: action action`, of the statements about the key. */
const usesOf = (statements: Statement[]): string[] =>
  statements
    .filter(isOnKey)
    .map((statement) => {
      expect(keyed.texts(statement.Resource)).toEqual([kmsKeyArn]);
      expect(Object.keys(statement.Condition ?? {})).toEqual(['StringEquals']);
      const via = keyed.text(statement.Condition?.StringEquals?.['kms:ViaService']);
      expect(via).toMatch(/\.\{AWS::Region}\.\{AWS::URLSuffix}$/);
      const actions = actionsOf(statement).map((action) => action.replace('kms:', ''));
      return `${via.split('.')[0]}: ${actions.sort().join(' ')}`;
    })
    .sort();

const ofType = (synthesis: Synthesis, type: string) =>
  Object.values(synthesis.resources).filter(({ Type }) => Type === type);

describe('with a key of its own', () => {
  it('the tables are encrypted with it, and so is the stream', () => {
    const tables = ofType(keyed, 'AWS::DynamoDB::Table');
    expect(tables).toHaveLength(2);
    for (const { Properties } of tables)
      expect(Properties.SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: kmsKeyArn });
  });

  it('the bucket asks KMS for a bucket key, not for each object', () => {
    const [bucket] = ofType(keyed, 'AWS::S3::Bucket');
    expect(bucket?.Properties.BucketEncryption).toEqual({
      ServerSideEncryptionConfiguration: [
        {
          BucketKeyEnabled: true,
          ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: kmsKeyArn },
        },
      ],
    });
  });

  it('every queue and every log group has it', () => {
    const queues = ofType(keyed, 'AWS::SQS::Queue').map(({ Properties }) => Properties.KmsMasterKeyId);
    expect(queues).toEqual(Array.from({ length: 6 }, () => kmsKeyArn));
    const groups = ofType(keyed, 'AWS::Logs::LogGroup').map(({ Properties }) => Properties.KmsKeyId);
    expect(groups).toEqual(Array.from({ length: functionNames.length + 1 }, () => kmsKeyArn));
  });

  it('the functions know it, for the parameters that the sweep makes', () => {
    const { Variables } = keyed.lambda('sweep').Environment as { Variables: Record<string, unknown> };
    expect(Variables.ROUSE_KMS_KEY_ARN).toBe(kmsKeyArn);
  });

  it.each<[FunctionName, string[]]>([
    ['api', ['dynamodb: Decrypt', 's3: Decrypt GenerateDataKey', 'sqs: Decrypt GenerateDataKey']],
    ['wait', ['dynamodb: Decrypt', 's3: Decrypt']],
    ['runtime', ['dynamodb: Decrypt', 's3: Decrypt GenerateDataKey', 'sqs: Decrypt GenerateDataKey', 'ssm: Decrypt']],
    ['dispatch', ['dynamodb: Decrypt', 's3: Decrypt GenerateDataKey', 'sqs: Decrypt GenerateDataKey']],
    ['launch', ['dynamodb: Decrypt', 'sqs: Decrypt GenerateDataKey']],
    ['record', ['dynamodb: Decrypt', 's3: GenerateDataKey', 'sqs: Decrypt GenerateDataKey']],
    ['sweep', ['dynamodb: Decrypt', 's3: Decrypt', 'sqs: Decrypt GenerateDataKey', 'ssm: Decrypt Encrypt']],
    ['timers', ['sqs: Decrypt GenerateDataKey']],
    ['trigger', ['sqs: Decrypt GenerateDataKey']],
    ['task-events', ['dynamodb: Decrypt', 'sqs: Decrypt GenerateDataKey']],
  ])('%s uses it only by way of what it calls', (name, uses) => {
    expect(usesOf(keyed.functionStatements(name))).toEqual(uses);
  });

  it.each([
    ['AgentCredentialsRole', ['s3: Decrypt GenerateDataKey']],
    ['ComputeExecutionRole', ['secretsmanager: Decrypt', 'ssm: Decrypt']],
    ['SchedulesUserRole', ['sqs: Decrypt GenerateDataKey']],
    ['SchedulesSweepRole', []],
    ['ComputeTaskRole', []],
  ])('%s uses it only by way of what it calls', (id, uses) => {
    expect(usesOf(keyed.statementsOf(id))).toEqual(uses);
  });

  it('nothing else is granted than without', () => {
    const others = (synthesis: Synthesis) =>
      ofType(synthesis, 'AWS::IAM::Policy').map(({ Properties }) =>
        (Properties.PolicyDocument as { Statement: Statement[] }).Statement.filter((one) => !isOnKey(one)),
      );
    expect(others(keyed)).toEqual(others(plain));
  });

  it('no policy is larger than IAM takes for a role', () => {
    for (const name of functionNames)
      expect(JSON.stringify(keyed.functionStatements(name)).length).toBeLessThan(10_240);
  });
});

it('without one, the keys of AWS serve, and none is made', () => {
  expect(JSON.stringify(plain.resources)).not.toMatch(/kms:|KmsKeyId|KmsMasterKeyId|aws:kms/i);
});

it('an alias is refused, since no permission can be given on one', () => {
  const read = () =>
    readSettings((key) => (key === 'kmsKeyArn' ? 'arn:aws:kms:eu-central-1:123456789012:alias/rouse' : undefined));
  expect(read).toThrow('the ARN of an alias will not do');
});
