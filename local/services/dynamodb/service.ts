/**
 * DynamoDB of the embedded AWS: on-demand tables with global secondary indexes, expressions, transactions,
 * streams and time to live. All of a call happens in one turn of the event loop, which makes it atomic.
 */
import { notEmulated } from '../../errors.ts';
import type { Environment, JsonService } from '../../service.ts';
import { batchGetItem, batchWriteItem } from './batch.ts';
import type { Consumption } from './capacity.ts';
import { deleteItem, getItem, putItem, updateItem } from './items.ts';
import { parameters } from './parameters.ts';
import { query, scan } from './read.ts';
import { checkShape } from './shape.ts';
import { type StreamRecord, streamRetentionMs } from './stream.ts';
import { Tables } from './tables.ts';
import { accessOf, Throughput, type ThroughputLimits, tablesOf } from './throughput.ts';
import { Transactions } from './transaction.ts';

export type { StreamRecord } from './stream.ts';

export interface DynamoDbOptions {
  /** From the end of an item's time to live to its deletion. @default 180000 (3 minutes) */
  timeToLiveDelayMs?: number;
  /** How long the records of streams are kept. @default 24 hours */
  streamRetentionMs?: number | undefined;
  /** What tables take in a second. @default as much as comes */
  throughput?: ThroughputLimits | undefined;
}

/** Capacity units that one call consumed on one table and its indexes. */
export interface ConsumedUnits {
  readUnits: number;
  writeUnits: number;
}

type Listener = (tableName: string, record: StreamRecord) => void;
type Operation = (input: never) => unknown;

const defaultTimeToLiveDelayMs = 180_000;

export class DynamoDbService implements JsonService {
  readonly protocol = 'json';
  readonly name = 'dynamodb';
  readonly targetPrefix = 'DynamoDB_20120810';
  readonly jsonVersion = '1.0';
  /** Told of every call's capacity units, table by table, also of refused conditions: what a benchmark bills from. */
  onConsumed: ((tableName: string, units: ConsumedUnits) => void) | undefined;
  private readonly listeners = new Set<Listener>();
  private readonly tables: Tables;
  private readonly operations: Record<string, Operation>;
  private readonly throughput: Throughput | undefined;

  constructor(environment: Environment, options: DynamoDbOptions = {}) {
    this.tables = new Tables(environment, {
      timeToLiveDelayMs: options.timeToLiveDelayMs ?? defaultTimeToLiveDelayMs,
      streamRetentionMs: options.streamRetentionMs ?? streamRetentionMs,
      onRecord: (tableName, record) => {
        for (const listener of this.listeners) listener(tableName, record);
      },
    });
    this.throughput = options.throughput && new Throughput(environment.clock, options.throughput);
    this.operations = operationsOf(this.tables, new Transactions(environment, this.tables), (consumption) =>
      this.meter(consumption),
    );
  }

  async call(operation: string, input: Record<string, unknown>): Promise<unknown> {
    const perform = Object.hasOwn(this.operations, operation) ? this.operations[operation] : undefined;
    const shape = parameters[operation];
    if (!perform || !shape) throw notEmulated('DynamoDB', `operation ${operation}`);
    checkShape(operation, shape, input);
    if (this.throughput) for (const table of tablesOf(input)) this.throughput.check(table, accessOf(operation));
    return perform(input as never);
  }

  /** ARN of a table's stream, or undefined when it has none. @throws ResourceNotFoundException for an unknown table */
  streamArn(tableName: string): string | undefined {
    return this.tables.get(tableName, true).stream?.arn;
  }

  /** Calls `listener` after each change of a table with a stream; the returned function ends that. */
  onStreamRecord(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Up to `limit` records of the last 24 hours after a sequence number, oldest first; without one, from the oldest.
   * Empty when the table, or its stream, doesn't exist.
   */
  readRecords(tableName: string, afterSequence: string | undefined, limit: number): StreamRecord[] {
    return this.tables.find(tableName)?.stream?.read(afterSequence, limit) ?? [];
  }

  /** Sequence number after which a reader goes on that starts at LATEST; undefined while there are no records. */
  latestSequence(tableName: string): string | undefined {
    return this.tables.find(tableName)?.stream?.latest();
  }

  private meter(consumption: Consumption): void {
    if (!this.onConsumed && !this.throughput) return;
    for (const [tableName, units] of consumption.totals()) {
      this.throughput?.consume(tableName, units);
      this.onConsumed?.(tableName, units);
    }
  }
}

function operationsOf(
  tables: Tables,
  transactions: Transactions,
  meter: (consumption: Consumption) => void,
): Record<string, Operation> {
  type Named = { TableName: string };
  return {
    CreateTable: (input) => tables.create(input),
    DescribeTable: (input: Named) => tables.describe(input.TableName),
    DeleteTable: (input: Named) => tables.delete(input.TableName),
    ListTables: (input) => tables.list(input),
    UpdateTimeToLive: (input) => tables.updateTimeToLive(input),
    DescribeTimeToLive: (input: Named) => tables.describeTimeToLive(input.TableName),
    UpdateContinuousBackups: (input) => tables.updateContinuousBackups(input),
    DescribeContinuousBackups: (input: Named) => tables.describeContinuousBackups(input.TableName),
    PutItem: (input) => putItem(tables, input, meter),
    GetItem: (input) => getItem(tables, input, meter),
    UpdateItem: (input) => updateItem(tables, input, meter),
    DeleteItem: (input) => deleteItem(tables, input, meter),
    Query: (input) => query(tables, input, meter),
    Scan: (input) => scan(tables, input, meter),
    BatchGetItem: (input) => batchGetItem(tables, input, meter),
    BatchWriteItem: (input) => batchWriteItem(tables, input, meter),
    TransactWriteItems: (input) => transactions.write(input, meter),
    TransactGetItems: (input) => transactions.get(input, meter),
  };
}
