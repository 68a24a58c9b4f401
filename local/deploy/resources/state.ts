import { AwsError } from '../../errors.ts';
import type { ResourceRequest, ResourceType } from '../resource.ts';
import { callJson, type DeployTarget } from '../target.ts';

interface TableDescription {
  TableArn: string;
  TableId?: string;
  LatestStreamArn?: string;
  KeySchema: unknown;
}

async function deployTable(request: ResourceRequest) {
  const { target, properties } = request;
  const name = request.text('TableName') ?? request.previous?.physicalId ?? request.generatedName(128);
  if (properties.BillingMode !== 'PAY_PER_REQUEST')
    throw new Error(`BillingMode must be PAY_PER_REQUEST, received ${properties.BillingMode ?? 'PROVISIONED'}.`);
  let table = await describeTable(target, name);
  if (!table) {
    const stream = properties.StreamSpecification as Record<string, unknown> | undefined;
    await callJson(target, target.dynamodb, 'CreateTable', {
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: properties.AttributeDefinitions,
      KeySchema: properties.KeySchema,
      GlobalSecondaryIndexes: indexes(properties.GlobalSecondaryIndexes),
      StreamSpecification: stream && { StreamEnabled: true, StreamViewType: stream.StreamViewType },
    });
    const timeToLive = properties.TimeToLiveSpecification as Record<string, unknown> | undefined;
    if (timeToLive?.Enabled) {
      await callJson(target, target.dynamodb, 'UpdateTimeToLive', {
        TableName: name,
        TimeToLiveSpecification: { Enabled: true, AttributeName: timeToLive.AttributeName },
      });
    }
    table = await describeTable(target, name);
  } else if (request.previous) {
    for (const property of ['KeySchema', 'AttributeDefinitions', 'GlobalSecondaryIndexes', 'StreamSpecification']) {
      if (JSON.stringify(properties[property]) !== JSON.stringify(request.previous.properties[property]))
        throw new Error(
          `${property} has changed, which the embedded AWS can't do to a table that exists: start with another data folder.`,
        );
    }
  }
  if (!table) throw new Error(`Table ${name} was created but is not there.`);
  target.encrypt(table.TableArn, tableKey(properties.SSESpecification));
  const attributes: Record<string, string> = {
    Arn: table.TableArn,
    TableId: table.TableId ?? request.digest('table', 32),
  };
  if (table.LatestStreamArn) attributes.StreamArn = table.LatestStreamArn;
  return { physicalId: name, attributes };
}

function tableKey(value: unknown): string | undefined {
  const { SSEEnabled, SSEType, KMSMasterKeyId } = (value ?? {}) as Record<string, unknown>;
  if (KMSMasterKeyId === undefined) return undefined;
  if (String(SSEEnabled) !== 'true' || SSEType !== 'KMS')
    throw new Error(
      `KMSMasterKeyId of SSESpecification needs SSEEnabled true and SSEType KMS, received ${SSEEnabled} and ${SSEType}.`,
    );
  return String(KMSMasterKeyId);
}

/** TableV2 puts warm-up and limits into its indexes, which mean nothing locally. */
function indexes(value: unknown): unknown {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.map(({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection }));
}

async function describeTable(target: DeployTarget, name: string): Promise<TableDescription | undefined> {
  try {
    const answer = await callJson<{ Table: TableDescription }>(target, target.dynamodb, 'DescribeTable', {
      TableName: name,
    });
    return answer.Table;
  } catch (error) {
    if (error instanceof AwsError && error.code.includes('ResourceNotFound')) return undefined;
    throw error;
  }
}

const table: ResourceType = {
  reads: [
    ...['TableName', 'BillingMode', 'AttributeDefinitions', 'KeySchema', 'GlobalSecondaryIndexes'],
    ...['StreamSpecification', 'TimeToLiveSpecification', 'SSESpecification'],
  ],
  ignores: [
    ...['Replicas', 'PointInTimeRecoverySpecification', 'DeletionProtectionEnabled', 'Tags'],
    ...['TableClass', 'WarmThroughput', 'WriteOnDemandThroughputSettings', 'ReadOnDemandThroughputSettings'],
  ],
  deploy: deployTable,
};

const bucket: ResourceType = {
  reads: ['BucketName', 'BucketEncryption'],
  ignores: [
    ...['AccessControl', 'LifecycleConfiguration', 'OwnershipControls'],
    ...['PublicAccessBlockConfiguration', 'Tags', 'VersioningConfiguration', 'CorsConfiguration'],
  ],
  deploy(request) {
    const { target } = request;
    const name = request.text('BucketName') ?? request.generatedName(63).toLowerCase();
    target.s3.createBucket(name);
    target.encrypt(`arn:aws:s3:::${name}`, bucketKey(request.properties.BucketEncryption));
    const domain = `${name}.s3.${target.environment.region}.amazonaws.com`;
    const attributes = {
      Arn: `arn:aws:s3:::${name}`,
      DomainName: `${name}.s3.amazonaws.com`,
      RegionalDomainName: domain,
    };
    return { physicalId: name, attributes };
  },
};

function bucketKey(value: unknown): string | undefined {
  const { ServerSideEncryptionConfiguration: rules = [] } = (value ?? {}) as {
    ServerSideEncryptionConfiguration?: { ServerSideEncryptionByDefault?: Record<string, unknown> }[];
  };
  const { SSEAlgorithm, KMSMasterKeyID } = rules[0]?.ServerSideEncryptionByDefault ?? {};
  return SSEAlgorithm === 'aws:kms' && KMSMasterKeyID !== undefined ? String(KMSMasterKeyID) : undefined;
}

const logGroup: ResourceType = {
  reads: ['LogGroupName'],
  ignores: ['RetentionInDays', 'Tags', 'LogGroupClass', 'KmsKeyId'],
  async deploy(request) {
    const { target } = request;
    const name = request.text('LogGroupName') ?? request.generatedName(255);
    try {
      await callJson(target, target.logs, 'CreateLogGroup', { logGroupName: name });
    } catch (error) {
      if (!(error instanceof AwsError && error.code.includes('ResourceAlreadyExists'))) throw error;
    }
    return { physicalId: name, attributes: { Arn: request.arn('logs', `log-group:${name}:*`) } };
  },
};

export const stateTypes: Record<string, ResourceType> = {
  'AWS::DynamoDB::GlobalTable': table,
  'AWS::DynamoDB::Table': table,
  'AWS::S3::Bucket': bucket,
  'AWS::Logs::LogGroup': logGroup,
};
