import { randomUUID } from 'node:crypto';
import type { Environment } from '../../../service.ts';
import { type BatchOutcome, batchOutcome } from './batch-response.ts';
import type { FailedInvocation, FailureDestination, InvokeFunction, StreamRecord } from './ports.ts';

/** Between two tries of a failing batch; AWS publishes no figures of its own back-off. */
const firstRetryDelayMs = 500;
const maxRetryDelayMs = 10_000;

export interface StreamBatchOptions {
  /** Of the mapping: stable over restarts, its checkpoint is kept under it. */
  id: string;
  streamArn: string;
  functionArn: string;
  shardId: string;
  bisects: boolean;
  /** -1 retries until the records expire. */
  maximumRetryAttempts: number;
  /** -1 for no limit. */
  maximumRecordAgeSeconds: number;
  reportsItemFailures: boolean;
  onFailureArn?: string;
}

interface Part {
  records: StreamRecord[];
  attempts: number;
}

export interface StreamBatchPorts {
  environment: Environment;
  invoke: InvokeFunction;
  destination: FailureDestination;
  /** Called as the records are done with, in order: handled or given up. */
  done(lastSequence: string): void;
  stopped(): boolean;
}

/**
 * Hands one batch to the function until all of its records are handled or given up, as Lambda does: what the function
 * reports as failed is tried again from there ("the batch is bisected at the returned sequence number"); a batch that
 * fails as a whole is cut in halves, which costs no attempt.
 */
export async function handleStreamBatch(
  options: StreamBatchOptions,
  ports: StreamBatchPorts,
  records: StreamRecord[],
): Promise<void> {
  const parts: Part[] = [{ records, attempts: 0 }];
  while (parts.length > 0 && !ports.stopped()) {
    const part = await withoutExpired(options, ports, parts.shift()!);
    const lastRecord = part.records.at(-1);
    if (!lastRecord) continue;
    const { failed, isReported, functionError } = await deliver(options, ports, part.records);
    const firstFailure = part.records.findIndex((record) => failed.has(record.dynamodb.SequenceNumber));
    if (firstFailure < 0) {
      ports.done(lastRecord.dynamodb.SequenceNumber);
      continue;
    }
    const progressed = part.records[firstFailure - 1];
    if (progressed) ports.done(progressed.dynamodb.SequenceNumber);
    const rest = part.records.slice(firstFailure);
    if (options.bisects && !isReported && rest.length > 1) {
      const middle = Math.ceil(rest.length / 2);
      const { attempts } = part;
      parts.unshift({ records: rest.slice(0, middle), attempts }, { records: rest.slice(middle), attempts });
      continue;
    }
    const attempts = progressed ? 1 : part.attempts + 1;
    if (options.maximumRetryAttempts >= 0 && attempts > options.maximumRetryAttempts) {
      await giveUp(options, ports, rest, 'RetryAttemptsExhausted', attempts, functionError);
      continue;
    }
    await sleep(ports.environment, Math.min(maxRetryDelayMs, firstRetryDelayMs * 2 ** (attempts - 1)));
    parts.unshift({ records: rest, attempts });
  }
}

async function withoutExpired(options: StreamBatchOptions, ports: StreamBatchPorts, part: Part): Promise<Part> {
  if (options.maximumRecordAgeSeconds < 0) return part;
  const oldestMs = ports.environment.clock.now() - options.maximumRecordAgeSeconds * 1000;
  const isExpired = (record: StreamRecord) => record.dynamodb.ApproximateCreationDateTime * 1000 < oldestMs;
  const expired = part.records.filter(isExpired);
  if (expired.length > 0) await giveUp(options, ports, expired, 'MaximumRecordAgeExceeded', part.attempts, undefined);
  return { ...part, records: part.records.filter((record) => !isExpired(record)) };
}

async function deliver(options: StreamBatchOptions, ports: StreamBatchPorts, records: StreamRecord[]) {
  const { environment } = ports;
  const body = { Records: records };
  const { copies, delayMs } = environment.faults.ofDelivery({ source: 'stream', target: options.functionArn, body });
  if (delayMs > 0) await sleep(environment, delayMs);
  const event = JSON.stringify(body);
  let outcome: BatchOutcome = { failed: new Set(), isReported: false };
  let functionError: string | undefined;
  const sequences = records.map((record) => record.dynamodb.SequenceNumber);
  for (let copy = 0; copy < copies; copy++) {
    const result = await ports.invoke(options.functionArn, event);
    functionError = result.functionError;
    if (functionError) environment.log(`${options.functionArn} failed with ${result.payload}`);
    outcome = batchOutcome(result, sequences, options.reportsItemFailures);
  }
  return { ...outcome, functionError };
}

async function giveUp(
  options: StreamBatchOptions,
  ports: StreamBatchPorts,
  records: StreamRecord[],
  condition: FailedInvocation['requestContext']['condition'],
  invokeCount: number,
  functionError: string | undefined,
): Promise<void> {
  const first = records[0]!.dynamodb;
  const last = records.at(-1)!.dynamodb;
  if (options.onFailureArn) {
    const account: FailedInvocation = {
      requestContext: {
        requestId: randomUUID(),
        functionArn: `${options.functionArn}:$LATEST`,
        condition,
        approximateInvokeCount: invokeCount,
      },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', ...(functionError ? { functionError } : {}) },
      version: '1.0',
      timestamp: new Date(ports.environment.clock.now()).toISOString(),
      DDBStreamBatchInfo: {
        shardId: options.shardId,
        startSequenceNumber: first.SequenceNumber,
        endSequenceNumber: last.SequenceNumber,
        approximateArrivalOfFirstRecord: new Date(first.ApproximateCreationDateTime * 1000).toISOString(),
        approximateArrivalOfLastRecord: new Date(last.ApproximateCreationDateTime * 1000).toISOString(),
        batchSize: records.length,
        streamArn: options.streamArn,
      },
    };
    await ports.destination.put(options.id, options.onFailureArn, account, JSON.stringify({ Records: records }));
  }
  ports.done(last.SequenceNumber);
}

function sleep({ clock }: Environment, durationMs: number): Promise<void> {
  return new Promise((resolve) => clock.at(clock.now() + durationMs, resolve));
}
