import { prices } from './prices.ts';
import type { ActorUsage, Requests, Usage } from './usage.ts';

/** Lines of the bill, in the order of the table. */
export const chargeNames = [
  'HTTP API requests',
  'Lambda requests',
  'Lambda GB-seconds',
  'DynamoDB writes',
  'DynamoDB reads',
  'SQS',
  'S3',
  'EventBridge',
  'CloudWatch Logs',
] as const;
export type ChargeName = (typeof chargeNames)[number];

/** Dollars by line of the bill. */
export type Bill = Record<ChargeName, number>;

/** Functions behind the HTTP API: each of their invocations is a request to it. */
const httpFunctions = ['api', 'wait', 'runtime'];
/** An event source mapping receives each batch that it hands over, and deletes it: two requests on the function's behalf. */
const queueFunctions: Record<string, 'fifo' | 'standard'> = {
  dispatch: 'fifo',
  launch: 'fifo',
  timers: 'standard',
  redrive: 'standard',
};
const requestsPerQueueBatch = 2;

const s3Writes = /^(PutObject|CopyObject|CreateMultipartUpload|UploadPart|CompleteMultipartUpload|ListObjects)/;
const s3Reads = /^(GetObject|HeadObject)/;
/** CloudWatch Logs counts so much for each line, besides its text. */
export const logLineOverheadBytes = 26;

/**
 * What AWS would ask for. Free are ECS's and STS's calls, standard parameters of SSM, and reading a stream by Lambda.
 * @param logBytes of CloudWatch Logs, with {@link logLineOverheadBytes} a line
 */
export function billOf(usage: Usage, logBytes = 0): Bill {
  const bill = Object.fromEntries(chargeNames.map((name) => [name, 0])) as Bill;
  for (const [actor, used] of Object.entries(usage)) {
    chargeInvocations(bill, actor, used);
    for (const [kind, requests] of Object.entries(used.requests)) chargeRequests(bill, kind, requests);
  }
  bill['CloudWatch Logs'] += (logBytes / 1e9) * prices.logsGb;
  return bill;
}

/** Dollars of all lines. */
export function totalOf(bill: Bill): number {
  return Object.values(bill).reduce((sum, dollars) => sum + dollars, 0);
}

function chargeInvocations(bill: Bill, actor: string, { invocations, medianMs, memoryMiB }: ActorUsage): void {
  bill['Lambda requests'] += invocations * prices.lambdaRequest;
  bill['Lambda GB-seconds'] += invocations * (medianMs / 1000) * (memoryMiB / 1024) * prices.lambdaGbSecond;
  if (httpFunctions.includes(actor)) bill['HTTP API requests'] += invocations * prices.httpApiRequest;
  const queue = queueFunctions[actor];
  if (queue) bill.SQS += invocations * requestsPerQueueBatch * sqsPrice(queue === 'fifo');
}

function chargeRequests(bill: Bill, kind: string, { count, readUnits, writeUnits }: Requests): void {
  bill['DynamoDB writes'] += writeUnits * prices.dynamodbWriteUnit;
  bill['DynamoDB reads'] += readUnits * prices.dynamodbReadUnit;
  const [service, operation = ''] = kind.split(' ');
  if (service === 'sqs') bill.SQS += count * sqsPrice(kind.endsWith('(FIFO)'));
  if (service === 's3' && s3Writes.test(operation)) bill.S3 += count * prices.s3WriteRequest;
  if (service === 's3' && s3Reads.test(operation)) bill.S3 += count * prices.s3ReadRequest;
  if (service === 'events') bill.EventBridge += count * prices.eventBridgeEvent;
}

function sqsPrice(fifo: boolean): number {
  return fifo ? prices.sqsFifoRequest : prices.sqsStandardRequest;
}
