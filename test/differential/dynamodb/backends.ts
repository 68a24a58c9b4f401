/** The two sides of a comparison: each gives fresh tables to a sequence. */
import {
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { DynamoDbService } from '../../../local/services/dynamodb/service.ts';
import { client, makeEnvironment, makeWire } from '../../support/embedded.ts';
import { createTableInput, tables } from './tables.ts';

export interface Backend {
  /** The tables of `tables.ts`, all empty. */
  fresh(): Promise<Side>;
}

export interface Side {
  client: DynamoDBClient;
  /** All records of a table's stream, oldest first. */
  changes(tableName: string): Promise<StreamRecord[]>;
}

/** A record, as far as the API shows it. */
export interface StreamRecord {
  eventName?: string;
  dynamodb?: { Keys?: unknown; OldImage?: unknown; NewImage?: unknown };
}

const maxRecords = 10_000;

export class EmbeddedBackend implements Backend {
  async fresh(): Promise<Side> {
    const environment = makeEnvironment();
    const service = new DynamoDbService(environment);
    const db = client<DynamoDBClient, DynamoDBClientConfig>(DynamoDBClient, makeWire(environment, service));
    for (const table of tables) await db.send(new CreateTableCommand(createTableInput(table)));
    return {
      client: db,
      changes: async (tableName) => service.readRecords(tableName, undefined, maxRecords) as StreamRecord[],
    };
  }
}

/** One of the databases of a DynamoDB Local: each access key has its own. */
export class LocalBackend implements Backend {
  private readonly db: DynamoDBClient;
  private readonly endpoint: string;
  private readonly accessKeyId: string;
  private isEmpty = true;

  constructor(endpoint: string, lane: number) {
    this.endpoint = endpoint;
    this.accessKeyId = `lane${lane}`;
    const credentials = { accessKeyId: this.accessKeyId, secretAccessKey: 'none' };
    this.db = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  }

  async fresh(): Promise<Side> {
    const streams = new Map<string, string>();
    for (const table of tables) {
      if (!this.isEmpty) await this.db.send(new DeleteTableCommand({ TableName: table.name }));
      const { TableDescription } = await this.db.send(new CreateTableCommand(createTableInput(table)));
      streams.set(table.name, TableDescription!.LatestStreamArn!);
    }
    this.isEmpty = false;
    return { client: this.db, changes: (tableName) => this.changes(streams.get(tableName)!) };
  }

  private async changes(StreamArn: string): Promise<StreamRecord[]> {
    const { StreamDescription } = await this.streams('DescribeStream', { StreamArn });
    const records: StreamRecord[] = [];
    for (const { ShardId } of (StreamDescription as { Shards: { ShardId: string }[] }).Shards) {
      const start = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
      let next = (await this.streams('GetShardIterator', start)).ShardIterator;
      for (let isMore = true; isMore && next; ) {
        const page = await this.streams('GetRecords', { ShardIterator: next });
        const found = page.Records as StreamRecord[];
        records.push(...found);
        next = page.NextShardIterator;
        isMore = found.length > 0;
      }
    }
    return records;
  }

  /** One call of the streams' API, for which there is no client here. */
  private async streams(operation: string, input: object): Promise<Record<string, unknown>> {
    const credential = `Credential=${this.accessKeyId}/20270104/us-east-1/dynamodb/aws4_request`;
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDBStreams_20120810.${operation}`,
        authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=host, Signature=none`,
      },
      body: JSON.stringify(input),
    });
    if (!answer.ok) throw new Error(`${operation} on DynamoDB Local failed: ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  }
}
