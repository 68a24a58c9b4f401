import type { InvocationResult } from '../function.ts';

/** What event source mappings need of Lambda. Waits for a place when the function's concurrency is used up. */
export type InvokeFunction = (functionArn: string, event: string) => Promise<InvocationResult>;

export interface QueueMessage {
  messageId: string;
  receiptHandle: string;
  body: string;
  md5OfBody: string;
  attributes: Record<string, string>;
  messageAttributes: Record<string, { DataType: string; StringValue?: string; BinaryValue?: string }>;
}

/** What mappings need of SQS. A received message stays invisible for the queue's visibility timeout. */
export interface QueuePort {
  receive(queueArn: string, max: number): QueueMessage[] | Promise<QueueMessage[]>;
  delete(queueArn: string, receiptHandles: string[]): void | Promise<void>;
  /** Makes visible at once what was received and not deleted. */
  returnInFlight(queueArn: string): void;
  /** Calls `listener` whenever messages may have become visible; the returned function ends that. */
  onVisible(queueArn: string, listener: () => void): () => void;
}

/** A stream record in the shape that Lambda hands to functions. */
export interface StreamRecord {
  eventID?: string;
  eventName?: string;
  dynamodb: {
    /** Seconds since the epoch. */
    ApproximateCreationDateTime: number;
    Keys: Record<string, unknown>;
    SequenceNumber: string;
    [member: string]: unknown;
  };
  [member: string]: unknown;
}

/** What mappings need of DynamoDB streams. Sequence numbers sort as strings of equal length. */
export interface StreamPort {
  /** Records after `afterSequence` (all that are kept when undefined), oldest first. */
  read(streamArn: string, afterSequence: string | undefined, limit: number): StreamRecord[];
  /** Sequence number of the newest record, or undefined when there is none. */
  latest(streamArn: string): string | undefined;
  /** Name of the table's partition key. */
  partitionKey(streamArn: string): string;
  onRecord(streamArn: string, listener: () => void): () => void;
}

/** Where the account of a batch that was given up goes: S3 gets the whole batch, SQS only its bounds. */
export interface FailureDestination {
  put(mappingId: string, destinationArn: string, invocation: FailedInvocation, event: string): Promise<void>;
}

/** Lambda's documented invocation record of a failed stream batch. */
export interface FailedInvocation {
  requestContext: {
    requestId: string;
    functionArn: string;
    condition: 'RetryAttemptsExhausted' | 'MaximumRecordAgeExceeded';
    approximateInvokeCount: number;
  };
  responseContext: { statusCode: number; executedVersion: string; functionError?: string };
  version: '1.0';
  timestamp: string;
  DDBStreamBatchInfo: {
    shardId: string;
    startSequenceNumber: string;
    endSequenceNumber: string;
    approximateArrivalOfFirstRecord: string;
    approximateArrivalOfLastRecord: string;
    batchSize: number;
    streamArn: string;
  };
}

export interface EventSourceMapping {
  /** Before the first start: deals with what an earlier process was delivering when it ended. */
  recover(): void;
  start(): void;
  stop(): void;
}
