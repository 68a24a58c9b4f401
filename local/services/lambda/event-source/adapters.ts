import { randomUUID } from 'node:crypto';
import type { Environment } from '../../../service.ts';
import type { DynamoDbService } from '../../dynamodb/service.ts';
import type { S3Service } from '../../s3/service.ts';
import type { SqsService } from '../../sqs/service.ts';
import type { FailureDestination, QueuePort, StreamPort } from './ports.ts';

export function queuePort(sqs: SqsService): QueuePort {
  return {
    receive: (queueArn, max) =>
      sqs.receiveFor(queueArn, max).map((message) => ({
        messageId: message.MessageId,
        receiptHandle: message.ReceiptHandle,
        body: message.Body,
        md5OfBody: message.MD5OfBody,
        attributes: message.Attributes ?? {},
        messageAttributes: message.MessageAttributes ?? {},
      })),
    delete: (queueArn, receiptHandles) => {
      for (const handle of receiptHandles) sqs.deleteFor(queueArn, handle);
    },
    returnInFlight: (queueArn) => sqs.returnInFlight(queueArn),
    onVisible: (queueArn, listener) => sqs.onMessageVisible(queueArn, listener),
  };
}

interface TableKeys {
  Table: { KeySchema: { AttributeName: string; KeyType: string }[] };
}

export function streamPort(dynamodb: DynamoDbService): StreamPort {
  const partitionKeys = new Map<string, string>();
  return {
    read: (streamArn, after, limit) => dynamodb.readRecords(tableOf(streamArn), after, limit) as never,
    latest: (streamArn) => dynamodb.latestSequence(tableOf(streamArn)),
    partitionKey: (streamArn) => partitionKeys.get(streamArn) ?? '',
    onRecord: (streamArn, listener) => {
      const wanted = tableOf(streamArn);
      void dynamodb.call('DescribeTable', { TableName: wanted }).then((answer) => {
        const keys = (answer as TableKeys).Table.KeySchema;
        partitionKeys.set(streamArn, keys.find((key) => key.KeyType === 'HASH')?.AttributeName ?? '');
      });
      return dynamodb.onStreamRecord((table) => {
        if (table === wanted) listener();
      });
    },
  };
}

/** `arn:aws:dynamodb:<region>:<account>:table/<name>/stream/<label>` */
function tableOf(streamArn: string): string {
  return streamArn.split('/')[1] ?? '';
}

/** Writes what a mapping gave up: the whole batch to a bucket, only its bounds to a queue. */
export function failureDestination(environment: Environment, s3: S3Service, sqs: SqsService): FailureDestination {
  return {
    async put(mappingId, destinationArn, invocation, event) {
      const service = destinationArn.split(':')[2];
      if (service === 'sqs') {
        sqs.sendInternal(destinationArn, JSON.stringify(invocation));
        return;
      }
      if (service !== 's3') throw new Error(`The embedded AWS knows no on-failure destination ${destinationArn}.`);
      const bucket = destinationArn.slice(destinationArn.lastIndexOf(':') + 1);
      const now = new Date(environment.clock.now()).toISOString();
      const { shardId } = invocation.DDBStreamBatchInfo;
      const time = now.slice(0, 19).replaceAll(':', '.');
      const key = `aws/lambda/${mappingId}/${shardId}/${now.slice(0, 10).replaceAll('-', '/')}/${time}-${randomUUID()}`;
      await s3.putInternal(bucket, key, JSON.stringify({ ...invocation, payload: event }));
    },
  };
}
