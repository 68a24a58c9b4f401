/** The tables of the account: created, described, deleted. */
import { randomUUID } from 'node:crypto';
import { AwsError, notEmulated } from '../../errors.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { tableNotFound, validationError } from './errors.ts';
import { type KeySchema, type SchemaInput, schemaOf } from './schema.ts';
import type { StreamRecord, StreamViewType } from './stream.ts';
import { Table, type TableDefinition } from './table.ts';

interface CreateTableInput extends SchemaInput {
  TableName: string;
  BillingMode?: string;
  StreamSpecification?: { StreamEnabled: boolean; StreamViewType?: StreamViewType };
  SSESpecification?: { Enabled?: boolean };
  TableClass?: string;
  DeletionProtectionEnabled?: boolean;
  Tags?: unknown;
}

export interface TablesOptions {
  timeToLiveDelayMs: number;
  streamRetentionMs: number;
  onRecord(tableName: string, record: StreamRecord): void;
}

export class Tables {
  private readonly environment: Environment;
  private readonly options: TablesOptions;
  private readonly definitions: StoredMap<TableDefinition>;
  private readonly tables = new Map<string, Table>();

  constructor(environment: Environment, options: TablesOptions) {
    this.environment = environment;
    this.options = options;
    this.definitions = environment.store.map('dynamodb/tables');
    for (const definition of this.definitions.values()) this.open(definition);
  }

  /** @param nameOrArn a table's name or ARN. @param isNamed whether the error names the table */
  get(nameOrArn: string, isNamed = false): Table {
    const name = nameOrArn.startsWith('arn:') ? nameOrArn.slice(nameOrArn.indexOf('/') + 1) : nameOrArn;
    const table = this.tables.get(name);
    if (!table) throw tableNotFound(isNamed ? name : undefined);
    return table;
  }

  find(name: string): Table | undefined {
    return this.tables.get(name);
  }

  create(input: CreateTableInput): unknown {
    const { region, accountId, clock } = this.environment;
    const name = input.TableName;
    if (input.BillingMode !== 'PAY_PER_REQUEST')
      throw notEmulated('DynamoDB', `BillingMode ${input.BillingMode ?? 'PROVISIONED'} (only PAY_PER_REQUEST)`);
    const schema = schemaOf(input);
    if (this.tables.has(name)) throw new AwsError('ResourceInUseException', `Table already exists: ${name}`);
    const now = clock.now();
    const viewType = streamViewType(input.StreamSpecification);
    const definition: TableDefinition = {
      ...schema,
      name,
      arn: `arn:aws:dynamodb:${region}:${accountId}:table/${name}`,
      id: randomUUID(),
      createdAtMs: now,
      ...(viewType && { stream: { viewType, label: new Date(now).toISOString().slice(0, -1) } }),
      pointInTimeRecovery: { enabled: false, sinceMs: 0, retentionDays: 35 },
      deletionProtection: input.DeletionProtectionEnabled ?? false,
      tableClass: input.TableClass,
      encryption: input.SSESpecification,
      tags: input.Tags,
    };
    this.definitions.set(name, definition);
    return { TableDescription: describe(this.open(definition)) };
  }

  describe(name: string): unknown {
    return { Table: describe(this.get(name, true)) };
  }

  delete(name: string): unknown {
    const table = this.get(name, true);
    if (table.definition.deletionProtection)
      throw validationError(
        'Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.',
      );
    this.tables.delete(table.name);
    this.environment.store.atomically(() => {
      table.drop();
      this.definitions.delete(table.name);
    });
    return { TableDescription: { ...describe(table), TableStatus: 'DELETING' } };
  }

  list(input: { ExclusiveStartTableName?: string; Limit?: number }): unknown {
    const { ExclusiveStartTableName: after = '', Limit: limit = 100 } = input;
    const names = [...this.tables.keys()].filter((name) => name > after).sort();
    const page = names.slice(0, limit);
    return { TableNames: page, ...(page.length < names.length && { LastEvaluatedTableName: page.at(-1) }) };
  }

  updateTimeToLive(input: {
    TableName: string;
    TimeToLiveSpecification: { AttributeName: string; Enabled: boolean };
  }): unknown {
    const table = this.get(input.TableName, true);
    const { AttributeName: name, Enabled: enabled } = input.TimeToLiveSpecification;
    const present = table.definition.timeToLiveAttribute;
    if (enabled && present === name) throw validationError('TimeToLive is already enabled');
    if (!enabled && present === undefined) throw validationError('TimeToLive is already disabled');
    if (present !== undefined && present !== name)
      throw validationError(`TimeToLive is active on a different AttributeName: current AttributeName is ${present}`);
    const { timeToLiveAttribute: _, ...rest } = table.definition;
    this.redefine(table, enabled ? { ...rest, timeToLiveAttribute: name } : rest);
    table.watchTimeToLive();
    return { TimeToLiveSpecification: input.TimeToLiveSpecification };
  }

  describeTimeToLive(name: string): unknown {
    const attribute = this.get(name, true).definition.timeToLiveAttribute;
    return {
      TimeToLiveDescription: {
        TimeToLiveStatus: attribute === undefined ? 'DISABLED' : 'ENABLED',
        ...(attribute !== undefined && { AttributeName: attribute }),
      },
    };
  }

  updateContinuousBackups(input: {
    TableName: string;
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: boolean; RecoveryPeriodInDays?: number };
  }): unknown {
    const table = this.backedUp(input.TableName);
    const { PointInTimeRecoveryEnabled: enabled, RecoveryPeriodInDays: retentionDays = 35 } =
      input.PointInTimeRecoverySpecification;
    const { enabled: wasEnabled, sinceMs } = table.definition.pointInTimeRecovery;
    const since = wasEnabled ? sinceMs : this.environment.clock.now();
    const pointInTimeRecovery = { enabled, sinceMs: since, retentionDays };
    this.redefine(table, { ...table.definition, pointInTimeRecovery });
    return this.describeContinuousBackups(input.TableName);
  }

  describeContinuousBackups(name: string): unknown {
    const { enabled, sinceMs, retentionDays } = this.backedUp(name).definition.pointInTimeRecovery;
    const now = this.environment.clock.now();
    const times = {
      RecoveryPeriodInDays: retentionDays,
      EarliestRestorableDateTime: Math.max(sinceMs, now - retentionDays * 86_400_000) / 1000,
      LatestRestorableDateTime: now / 1000,
    };
    return {
      ContinuousBackupsDescription: {
        ContinuousBackupsStatus: 'ENABLED',
        PointInTimeRecoveryDescription: {
          PointInTimeRecoveryStatus: enabled ? 'ENABLED' : 'DISABLED',
          ...(enabled && times),
        },
      },
    };
  }

  private backedUp(nameOrArn: string): Table {
    const name = nameOrArn.slice(nameOrArn.indexOf('/') + 1);
    const table = this.tables.get(name);
    if (!table) throw new AwsError('TableNotFoundException', `Table not found: ${name}`);
    return table;
  }

  private redefine(table: Table, definition: TableDefinition): void {
    table.definition = definition;
    this.definitions.set(table.name, definition);
  }

  private open(definition: TableDefinition): Table {
    const table = new Table(definition, {
      environment: this.environment,
      timeToLiveDelayMs: this.options.timeToLiveDelayMs,
      streamRetentionMs: this.options.streamRetentionMs,
      onRecord: (record) => this.options.onRecord(definition.name, record),
    });
    this.tables.set(definition.name, table);
    return table;
  }
}

function streamViewType(specification: CreateTableInput['StreamSpecification']): StreamViewType | undefined {
  if (!specification) return undefined;
  const { StreamEnabled: enabled, StreamViewType: viewType } = specification;
  if (enabled && !viewType)
    throw validationError(
      'One or more parameter values were invalid: StreamEnabled is true but StreamViewType is not specified',
    );
  if (!enabled && viewType)
    throw validationError(
      'One or more parameter values were invalid: StreamViewType is specified but StreamEnabled is false',
    );
  return enabled ? viewType : undefined;
}

function describe(table: Table) {
  const { definition, totals } = table;
  const { stream } = definition;
  const throughput = { NumberOfDecreasesToday: 0, ReadCapacityUnits: 0, WriteCapacityUnits: 0 };
  return {
    TableName: definition.name,
    TableArn: definition.arn,
    TableId: definition.id,
    TableStatus: 'ACTIVE',
    CreationDateTime: definition.createdAtMs / 1000,
    KeySchema: keyElements(definition.keys),
    AttributeDefinitions: Object.entries(definition.types).map(([AttributeName, AttributeType]) => ({
      AttributeName,
      AttributeType,
    })),
    BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
    ProvisionedThroughput: throughput,
    ItemCount: totals.items,
    TableSizeBytes: totals.bytes,
    DeletionProtectionEnabled: definition.deletionProtection,
    ...(definition.tableClass !== undefined && { TableClassSummary: { TableClass: definition.tableClass } }),
    ...(table.indexes.size > 0 && {
      GlobalSecondaryIndexes: [...table.indexes.values()].map(({ definition: index, rows }) => ({
        IndexName: index.name,
        IndexArn: `${definition.arn}/index/${index.name}`,
        IndexStatus: 'ACTIVE',
        KeySchema: keyElements(index.keys),
        Projection: {
          ProjectionType: index.projection.type,
          ...(index.projection.type === 'INCLUDE' && { NonKeyAttributes: index.projection.attributes }),
        },
        ProvisionedThroughput: throughput,
        ItemCount: rows.size,
      })),
    }),
    ...(stream && {
      StreamSpecification: { StreamEnabled: true, StreamViewType: stream.viewType },
      LatestStreamArn: table.stream?.arn,
      LatestStreamLabel: stream.label,
    }),
  };
}

function keyElements(keys: KeySchema) {
  return [
    { AttributeName: keys.partition, KeyType: 'HASH' },
    ...(keys.sort === undefined ? [] : [{ AttributeName: keys.sort, KeyType: 'RANGE' }]),
  ];
}
