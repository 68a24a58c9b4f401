import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { ManualClock } from '../../../local/clock.ts';
import { type DynamoDbOptions, DynamoDbService } from '../../../local/services/dynamodb/service.ts';
import type { Store } from '../../../local/store.ts';
import { client, makeEnvironment, makeWire } from '../../support/embedded.ts';

/** A DynamoDB of its own, with the real client for it. */
export function makeDynamoDb(options: { store?: Store; clock?: ManualClock } & DynamoDbOptions = {}) {
  const environment = makeEnvironment(options);
  const service = new DynamoDbService(environment, options);
  const db = client(DynamoDBClient, makeWire(environment, service));
  return { db, service, environment, clock: environment.clock };
}

/** CreateTable of a table with `pk` and `sk`, both strings. */
export function tableInput(overrides: Partial<CreateTableCommandInput> = {}): CreateTableCommandInput {
  return {
    TableName: 'things',
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ],
    ...overrides,
  };
}

/** As {@link makeDynamoDb}, with the table `things`. */
export async function makeTable(
  overrides: Partial<CreateTableCommandInput> = {},
  options: Parameters<typeof makeDynamoDb>[0] = {},
) {
  const made = makeDynamoDb(options);
  await made.db.send(new CreateTableCommand(tableInput(overrides)));
  return made;
}

/** Name and message of the error that a call ends with. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return `${error.name}: ${error.message}`;
    throw error;
  }
  throw new Error('The call succeeded.');
}
