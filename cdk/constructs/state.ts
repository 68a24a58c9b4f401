import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  ProjectionType,
  StreamViewType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface StateProps {
  readonly removalPolicy: RemovalPolicy;
  /** @default keys of AWS */
  readonly key?: IKey;
}

/** Where everything is remembered: state and log tables, and the bucket of workspaces and large payloads. */
export class State extends Construct {
  readonly stateTable: Table;
  readonly logTable: Table;
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: StateProps) {
    super(scope, id);
    const table = {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: 'ttl',
      removalPolicy: props.removalPolicy,
      ...(props.key && { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: props.key }),
    };

    this.stateTable = new Table(this, 'StateTable', { ...table, stream: StreamViewType.NEW_AND_OLD_IMAGES });
    this.stateTable.addGlobalSecondaryIndex({
      indexName: 'list',
      partitionKey: { name: 'listPk', type: AttributeType.STRING },
      sortKey: { name: 'listSk', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });
    this.stateTable.addGlobalSecondaryIndex({
      indexName: 'due',
      partitionKey: { name: 'duePk', type: AttributeType.STRING },
      sortKey: { name: 'dueAt', type: AttributeType.NUMBER },
      projectionType: ProjectionType.KEYS_ONLY,
    });

    this.logTable = new Table(this, 'LogTable', table);
    this.logTable.addGlobalSecondaryIndex({
      indexName: 'feed',
      partitionKey: { name: 'feedPk', type: AttributeType.STRING },
      sortKey: { name: 'feedSk', type: AttributeType.STRING },
      projectionType: ProjectionType.KEYS_ONLY,
    });

    this.bucket = new Bucket(this, 'Bucket', {
      encryption: props.key ? BucketEncryption.KMS : BucketEncryption.S3_MANAGED,
      encryptionKey: props.key,
      // A key of the bucket's own stands between the objects and KMS, which is then asked seldom, not for each object.
      bucketKeyEnabled: props.key && true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: props.removalPolicy,
      lifecycleRules: [{ id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) }],
    });
  }
}
