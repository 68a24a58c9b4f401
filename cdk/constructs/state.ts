import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, StreamViewType, Table } from 'aws-cdk-lib/aws-dynamodb';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface StateProps {
  readonly removalPolicy: RemovalPolicy;
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
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: props.removalPolicy,
      lifecycleRules: [{ id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) }],
    });
  }
}
