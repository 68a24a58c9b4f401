import { publishedRates } from '../../../local/rates.ts';
import type { ObservedCall } from '../../../local/wire.ts';
import type { World } from '../world.ts';
import { ownMs } from './census.ts';

/** The busiest second of something that AWS limits. */
export interface Peak {
  name: string;
  perSecond: number;
  limit: number;
  /** The embedded AWS refuses what is more; what is not enforced is compared only. */
  isEnforced: boolean;
  source: string;
}

const dynamo = 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html';
const onDemand = 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html';
const lambda = 'https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html';
const s3 = 'https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html';
const gateway = 'https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html';

const partitionWrites = 'DynamoDB write units of one partition key';
const partitionReads = 'DynamoDB read units of one partition key';
const indexWrites = 'DynamoDB writes to one partition key of an index';
const tableWrites = 'DynamoDB write units of a table';
const tableReads = 'DynamoDB read units of a table';
const executions = 'Lambda executions at once, on average of a second';
const httpRequests = 'HTTP API requests';
const s3Writes = 'S3 PUT and DELETE';
const s3Reads = 'S3 GET, HEAD and LIST';

const enforced = [tableWrites, tableReads];

/** What is counted besides the published rates, with its limit. */
const watched: readonly Peak[] = [
  { name: partitionWrites, limit: 1000, source: dynamo },
  { name: partitionReads, limit: 3000, source: dynamo },
  { name: indexWrites, limit: 1000, source: dynamo },
  { name: tableWrites, limit: 4000, source: onDemand },
  { name: tableReads, limit: 12_000, source: onDemand },
  { name: executions, limit: 1000, source: lambda },
  { name: httpRequests, limit: 10_000, source: gateway },
  { name: s3Writes, limit: 3500, source: s3 },
  { name: s3Reads, limit: 5500, source: s3 },
].map((one) => ({ ...one, perSecond: 0, isEnforced: enforced.includes(one.name) }));

/** Partition and sort key of the state table's indexes; the sort key of a list never changes. */
const indexKeys = [
  ['duePk', 'dueAt'],
  ['listPk', ''],
] as const;

/** Operations of the published rates by service and name. */
const ratesOf = Map.groupBy(
  publishedRates.flatMap((rate) => rate.operations.map((operation) => ({ key: `${rate.service} ${operation}`, rate }))),
  ({ key }) => key,
);

/** Counts by the second, and keeps the most of each. */
export class Peaks {
  private readonly world: World;
  private readonly most = new Map<string, number>();
  /** Of this second, by name and key. */
  private readonly sums = new Map<string, Map<string, number>>();
  private second = 0;
  private isOver = false;

  constructor(world: World) {
    this.world = world;
    const { dynamodb, lambda: functions } = world.stack.aws;
    let units = { readUnits: 0, writeUnits: 0 };
    const { onConsumed } = dynamodb;
    dynamodb.onConsumed = (table, consumed) => {
      onConsumed?.(table, consumed);
      units = { readUnits: units.readUnits + consumed.readUnits, writeUnits: units.writeUnits + consumed.writeUnits };
      this.add(tableWrites, consumed.writeUnits, table);
      this.add(tableReads, consumed.readUnits, table);
    };
    world.stack.aws.observe((call) => {
      if (call.service === 'dynamodb') {
        const keys = partitionsOf(call.input);
        for (const key of keys) {
          this.add(partitionWrites, units.writeUnits / keys.length, key);
          this.add(partitionReads, units.readUnits / keys.length, key);
        }
        units = { readUnits: 0, writeUnits: 0 };
      }
      this.count(call);
      const feed = call.operation === 'PutItem' ? feedOf(call.input) : undefined;
      if (feed !== undefined) this.add(indexWrites, 1, feed);
    });
    dynamodb.onStreamRecord((_table, { dynamodb: { OldImage, NewImage } }) => {
      for (const [pk, sk] of indexKeys) {
        const isSame = OldImage?.[pk]?.S === NewImage?.[pk]?.S && OldImage?.[sk]?.N === NewImage?.[sk]?.N;
        // A key that changes is taken out of the index and put in again.
        for (const image of isSame ? [] : [OldImage, NewImage]) if (image?.[pk]) this.add(indexWrites, 1, image[pk].S);
      }
    });
    functions.observe(({ logicalId, durationMs }) => {
      this.add(executions, (durationMs + ownMs) / 1000);
      if (/Functions(Api|Wait|Runtime)Function/.test(logicalId)) this.add(httpRequests, 1);
    });
  }

  close(): void {
    this.isOver = true;
  }

  /** Those that came to something. */
  all(): Peak[] {
    this.turn(-1);
    const rates = publishedRates.map(({ name, perSecond, source }) => ({
      name,
      limit: perSecond,
      source,
      perSecond: 0,
      isEnforced: true,
    }));
    return [...rates, ...watched]
      .map((peak) => ({ ...peak, perSecond: this.most.get(peak.name) ?? 0 }))
      .filter((peak) => peak.perSecond > 0);
  }

  private count({ service, operation, input, principal }: ObservedCall): void {
    if (!principal?.includes(':assumed-role/')) return;
    for (const { rate } of ratesOf.get(`${service} ${operation}`) ?? []) this.add(rate.name, rate.tokens?.(input) ?? 1);
    if (service === 's3') this.add(/^(Put|Delete|Create|Upload|Complete)/.test(operation) ? s3Writes : s3Reads, 1);
  }

  /** Of a name with keys the greatest counts. */
  private add(name: string, amount: number, key: string | undefined = name): void {
    if (amount === 0 || this.isOver) return;
    this.turn(Math.floor(this.world.now() / 1000));
    const sums = this.sums.get(name) ?? new Map<string, number>();
    this.sums.set(name, sums);
    sums.set(key, (sums.get(key) ?? 0) + amount);
  }

  /** Another second has begun. */
  private turn(second: number): void {
    if (second === this.second) return;
    this.second = second;
    for (const [name, sums] of this.sums) {
      const most = Math.max(this.most.get(name) ?? 0, ...sums.values());
      this.most.set(name, most);
      sums.clear();
    }
  }
}

type Input = Record<string, unknown>;

/** The partition keys that a call of DynamoDB goes to. */
function partitionsOf(input: Input): string[] {
  const { Key, Item, ExpressionAttributeValues: values, RequestItems, TransactItems } = input as Record<string, Input>;
  const pkOf = (item: unknown) => (item as { pk?: { S?: string } } | undefined)?.pk?.S;
  const single = pkOf(Key) ?? pkOf(Item);
  if (single !== undefined) return [single];
  if (RequestItems || TransactItems) {
    const found = JSON.stringify(RequestItems ?? TransactItems).matchAll(/"pk":\{"S":"([^"]+)"\}/g);
    return [...found].map((match) => match[1] ?? '');
  }
  const [first] = Object.values((values ?? {}) as Record<string, { S?: string }>);
  return first?.S === undefined ? [] : [`${String(input.IndexName ?? '')} ${first.S}`];
}

/** The partition of the event feed that an entry of the log goes to. */
function feedOf({ Item }: Input): string | undefined {
  return (Item as { feedPk?: { S?: string } } | undefined)?.feedPk?.S;
}
