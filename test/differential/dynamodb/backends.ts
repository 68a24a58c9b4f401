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
  /** A client that sees the tables of `tables.ts`, all empty. */
  fresh(): Promise<DynamoDBClient>;
}

export class EmbeddedBackend implements Backend {
  async fresh(): Promise<DynamoDBClient> {
    const environment = makeEnvironment();
    const db = client<DynamoDBClient, DynamoDBClientConfig>(
      DynamoDBClient,
      makeWire(environment, new DynamoDbService(environment)),
    );
    for (const table of tables) await db.send(new CreateTableCommand(createTableInput(table)));
    return db;
  }
}

/** One of the databases of a DynamoDB Local: each access key has its own. */
export class LocalBackend implements Backend {
  private readonly db: DynamoDBClient;
  private isEmpty = true;

  constructor(endpoint: string, lane: number) {
    const credentials = { accessKeyId: `lane${lane}`, secretAccessKey: 'none' };
    this.db = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  }

  async fresh(): Promise<DynamoDBClient> {
    for (const table of tables) {
      if (!this.isEmpty) await this.db.send(new DeleteTableCommand({ TableName: table.name }));
      await this.db.send(new CreateTableCommand(createTableInput(table)));
    }
    this.isEmpty = false;
    return this.db;
  }
}
