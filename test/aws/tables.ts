import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { Table } from '../../lib/aws/table.ts';
import { DynamoDbService } from '../../local/services/dynamodb/service.ts';
import { client, makeEnvironment, makeWire } from '../support/embedded.ts';

type KeyTypes = Record<string, 'S' | 'N'>;

const keySchema = ([hash, range]: string[]) => [
  { AttributeName: hash, KeyType: 'HASH' as const },
  { AttributeName: range, KeyType: 'RANGE' as const },
];

function createTable(name: string, indexes: Record<string, KeyTypes>): CreateTableCommand {
  const keys: KeyTypes = { pk: 'S', sk: 'S', ...Object.assign({}, ...Object.values(indexes)) };
  return new CreateTableCommand({
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keySchema(['pk', 'sk']),
    AttributeDefinitions: Object.entries(keys).map(([AttributeName, AttributeType]) => ({
      AttributeName,
      AttributeType,
    })),
    GlobalSecondaryIndexes: Object.entries(indexes).map(([IndexName, types]) => ({
      IndexName,
      KeySchema: keySchema(Object.keys(types)),
      Projection: { ProjectionType: 'KEYS_ONLY' },
    })),
  });
}

/** Both tables as docs/architecture.md lays them out, empty, in an embedded AWS of their own. */
export async function makeTables() {
  const environment = makeEnvironment();
  const db = client(DynamoDBClient, makeWire(environment, new DynamoDbService(environment)));
  await db.send(createTable('state', { list: { listPk: 'S', listSk: 'S' }, due: { duePk: 'S', dueAt: 'N' } }));
  await db.send(createTable('log', { feed: { feedPk: 'S', feedSk: 'S' } }));
  const documents = DynamoDBDocumentClient.from(db, { marshallOptions: { removeUndefinedValues: true } });
  return { state: new Table(documents, 'state'), log: new Table(documents, 'log'), environment };
}

/** The next `times` calls of these operations fail once they have taken effect, as when the caller dies. */
export function crashAfter(environment: ReturnType<typeof makeEnvironment>, operation: string, times = 1): void {
  let left = times;
  environment.faults.add((call) =>
    call.operation === operation && left-- > 0
      ? { kind: 'error', code: 'InternalServerError', after: true }
      : undefined,
  );
}
