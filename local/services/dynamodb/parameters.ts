/** The parameters of each operation that the embedded DynamoDB knows. */
import { type Shape, type Structure, structure } from './shape.ts';

const any: Shape = { kind: 'any' };
const boolean: Shape = { kind: 'boolean' };
const text: Shape = { kind: 'string' };
const oneOf = (...values: string[]): Shape => ({ kind: 'string', values });
const tableName: Shape = { kind: 'string', min: 1, max: 1024 };
const newTableName: Shape = { kind: 'string', pattern: '[a-zA-Z0-9_.-]+', min: 3, max: 255 };
const attributeName: Shape = { kind: 'string', min: 1, max: 255 };
const names: Shape = { kind: 'map', of: text };
const values: Shape = { kind: 'map', of: any };
const capacity = oneOf('INDEXES', 'TOTAL', 'NONE');
const itemCollectionMetrics = oneOf('SIZE', 'NONE');
const onConditionFailure = oneOf('ALL_OLD', 'NONE');
const returnValues = oneOf('ALL_NEW', 'UPDATED_OLD', 'ALL_OLD', 'NONE', 'UPDATED_NEW');

const keySchema: Shape = {
  kind: 'list',
  min: 1,
  max: 2,
  of: structure({ AttributeName: attributeName, KeyType: oneOf('HASH', 'RANGE') }, ['AttributeName', 'KeyType']),
};

const createTable = structure(
  {
    TableName: newTableName,
    KeySchema: keySchema,
    AttributeDefinitions: {
      kind: 'list',
      of: structure({ AttributeName: attributeName, AttributeType: oneOf('B', 'N', 'S') }, [
        'AttributeName',
        'AttributeType',
      ]),
    },
    GlobalSecondaryIndexes: {
      kind: 'list',
      of: structure(
        {
          IndexName: newTableName,
          KeySchema: keySchema,
          Projection: structure({
            ProjectionType: oneOf('ALL', 'INCLUDE', 'KEYS_ONLY'),
            NonKeyAttributes: { kind: 'list', min: 1, max: 100, of: attributeName },
          }),
        },
        ['IndexName', 'KeySchema', 'Projection'],
      ),
    },
    BillingMode: oneOf('PAY_PER_REQUEST', 'PROVISIONED'),
    StreamSpecification: structure(
      {
        StreamEnabled: boolean,
        StreamViewType: oneOf('NEW_IMAGE', 'OLD_IMAGE', 'NEW_AND_OLD_IMAGES', 'KEYS_ONLY'),
      },
      ['StreamEnabled'],
    ),
    SSESpecification: structure({ Enabled: boolean, SSEType: oneOf('AES256', 'KMS'), KMSMasterKeyId: text }),
    TableClass: oneOf('STANDARD', 'STANDARD_INFREQUENT_ACCESS'),
    DeletionProtectionEnabled: boolean,
    Tags: { kind: 'list', of: structure({ Key: text, Value: text }, ['Key', 'Value']) },
  },
  ['TableName', 'KeySchema', 'AttributeDefinitions'],
);

const named = structure({ TableName: tableName }, ['TableName']);
const condition = { ConditionExpression: text, ExpressionAttributeNames: names, ExpressionAttributeValues: values };
const write = {
  TableName: tableName,
  ...condition,
  ReturnConsumedCapacity: capacity,
  ReturnItemCollectionMetrics: itemCollectionMetrics,
  ReturnValues: returnValues,
  ReturnValuesOnConditionCheckFailure: onConditionFailure,
};
const part = { TableName: tableName, ...condition, ReturnValuesOnConditionCheckFailure: onConditionFailure };
const read = {
  TableName: tableName,
  IndexName: newTableName,
  ConsistentRead: boolean,
  ExclusiveStartKey: any,
  ExpressionAttributeNames: names,
  ExpressionAttributeValues: values,
  FilterExpression: text,
  Limit: { kind: 'integer', min: 1 } as const,
  ProjectionExpression: text,
  ReturnConsumedCapacity: capacity,
  Select: oneOf('SPECIFIC_ATTRIBUTES', 'COUNT', 'ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES'),
};

export const parameters: Record<string, Structure> = {
  CreateTable: createTable,
  DescribeTable: named,
  DeleteTable: named,
  ListTables: structure({ ExclusiveStartTableName: newTableName, Limit: { kind: 'integer', min: 1, max: 100 } }),
  UpdateTimeToLive: structure(
    {
      TableName: tableName,
      TimeToLiveSpecification: structure({ AttributeName: attributeName, Enabled: boolean }, [
        'AttributeName',
        'Enabled',
      ]),
    },
    ['TableName', 'TimeToLiveSpecification'],
  ),
  DescribeTimeToLive: named,
  DescribeContinuousBackups: named,
  UpdateContinuousBackups: structure(
    {
      TableName: tableName,
      PointInTimeRecoverySpecification: structure(
        { PointInTimeRecoveryEnabled: boolean, RecoveryPeriodInDays: { kind: 'integer', min: 1, max: 35 } },
        ['PointInTimeRecoveryEnabled'],
      ),
    },
    ['TableName', 'PointInTimeRecoverySpecification'],
  ),
  PutItem: structure({ ...write, Item: any }, ['TableName', 'Item']),
  DeleteItem: structure({ ...write, Key: any }, ['TableName', 'Key']),
  UpdateItem: structure({ ...write, Key: any, UpdateExpression: text }, ['TableName', 'Key']),
  GetItem: structure(
    {
      TableName: tableName,
      Key: any,
      ConsistentRead: boolean,
      ProjectionExpression: text,
      ExpressionAttributeNames: names,
      ReturnConsumedCapacity: capacity,
    },
    ['TableName', 'Key'],
  ),
  Query: structure({ ...read, KeyConditionExpression: text, ScanIndexForward: boolean }, ['TableName']),
  Scan: structure(
    {
      ...read,
      Segment: { kind: 'integer', min: 0, max: 999_999 },
      TotalSegments: { kind: 'integer', min: 1, max: 1_000_000 },
    },
    ['TableName'],
  ),
  BatchGetItem: structure(
    {
      RequestItems: {
        kind: 'map',
        min: 1,
        max: 100,
        of: structure(
          {
            Keys: { kind: 'list', min: 1, of: any },
            ConsistentRead: boolean,
            ProjectionExpression: text,
            ExpressionAttributeNames: names,
          },
          ['Keys'],
        ),
      },
      ReturnConsumedCapacity: capacity,
    },
    ['RequestItems'],
  ),
  BatchWriteItem: structure(
    {
      RequestItems: {
        kind: 'map',
        min: 1,
        max: 25,
        of: {
          kind: 'list',
          min: 1,
          of: structure({
            PutRequest: structure({ Item: any }, ['Item']),
            DeleteRequest: structure({ Key: any }, ['Key']),
          }),
        },
      },
      ReturnConsumedCapacity: capacity,
      ReturnItemCollectionMetrics: itemCollectionMetrics,
    },
    ['RequestItems'],
  ),
  TransactWriteItems: structure(
    {
      TransactItems: {
        kind: 'list',
        min: 1,
        max: 100,
        of: structure({
          Put: structure({ ...part, Item: any }, ['Item', 'TableName']),
          Update: structure({ ...part, Key: any, UpdateExpression: text }, ['Key', 'TableName', 'UpdateExpression']),
          Delete: structure({ ...part, Key: any }, ['Key', 'TableName']),
          ConditionCheck: structure({ ...part, Key: any }, ['Key', 'TableName', 'ConditionExpression']),
        }),
      },
      ClientRequestToken: { kind: 'string', min: 1, max: 36 },
      ReturnConsumedCapacity: capacity,
      ReturnItemCollectionMetrics: itemCollectionMetrics,
    },
    ['TransactItems'],
  ),
  TransactGetItems: structure(
    {
      TransactItems: {
        kind: 'list',
        min: 1,
        max: 100,
        of: structure(
          {
            Get: structure(
              { TableName: tableName, Key: any, ProjectionExpression: text, ExpressionAttributeNames: names },
              ['Key', 'TableName'],
            ),
          },
          ['Get'],
        ),
      },
      ReturnConsumedCapacity: capacity,
    },
    ['TransactItems'],
  ),
};
