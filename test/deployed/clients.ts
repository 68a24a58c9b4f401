import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import type { Target } from './target.ts';

/** The administrator's clients: credentials and everything else come from the environment. */
export function makeClients({ endpointUrl, region }: Pick<Target, 'endpointUrl' | 'region'>) {
  const options = { region, ...(endpointUrl && { endpoint: endpointUrl }) };
  return {
    dynamodb: new DynamoDBClient(options),
    ecs: new ECSClient(options),
    events: new EventBridgeClient(options),
    s3: new S3Client({ ...options, forcePathStyle: endpointUrl !== undefined }),
    sqs: new SQSClient(options),
    ssm: new SSMClient(options),
    sts: new STSClient(options),
  };
}

export type Clients = ReturnType<typeof makeClients>;
