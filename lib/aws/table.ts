import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  type BatchGetCommandOutput,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { Conflict, type Page } from '../app/ports.ts';
import type { Key } from './keys.ts';
import { type ListName, listPartition, listShards } from './keys.ts';

export type Item = Record<string, unknown>;

/** One DynamoDB table, in the few shapes of call that Rouse makes of it. The only place that knows a failed condition by name. */
export class Table {
  readonly name: string;
  readonly client: DynamoDBDocumentClient;

  constructor(client: DynamoDBDocumentClient, name: string) {
    this.client = client;
    this.name = name;
  }

  async get(key: Key, strong: boolean): Promise<Item | undefined> {
    const answer = await this.client.send(new GetCommand({ TableName: this.name, Key: key, ConsistentRead: strong }));
    return answer.Item;
  }

  /** Puts an item if there is none with its key; false if there is. */
  async putNew(item: Item): Promise<boolean> {
    return this.put(item, { ConditionExpression: 'attribute_not_exists(pk)' });
  }

  /** Puts an item; with a condition, false when it fails. */
  async put(
    item: Item,
    condition: {
      ConditionExpression?: string;
      ExpressionAttributeNames?: Record<string, string>;
      ExpressionAttributeValues?: Item;
    } = {},
  ): Promise<boolean> {
    return whether(this.client.send(new PutCommand({ TableName: this.name, Item: item, ...condition })));
  }

  /**
   * Sets some attributes and removes those that are undefined, when the `expected` ones are as given (undefined: absent).
   * @returns whether it happened
   */
  async change(key: Key, changes: Item, expected: Item): Promise<boolean> {
    return whether(this.client.send(new UpdateCommand(this.changeInput(key, changes, expected))));
  }

  /** The same; @returns the item as it is then, or undefined when it did not happen */
  async changed(key: Key, changes: Item, expected: Item): Promise<Item | undefined> {
    const input = { ...this.changeInput(key, changes, expected), ReturnValues: 'ALL_NEW' as const };
    const answer = await unlessRefused(this.client.send(new UpdateCommand(input)));
    return answer?.Attributes;
  }

  /** What {@link change} sends, also as a part of a transaction. */
  changeInput(key: Key, changes: Item, expected: Item) {
    const expression = new Expression();
    const update = expression.update(changes);
    const condition = expression.equals(expected);
    return {
      TableName: this.name,
      Key: key,
      UpdateExpression: update,
      ConditionExpression: condition,
      ...expression.bindings(),
    };
  }

  /** All pages of a query, one after the other. */
  async *pages(query: Omit<QueryCommandInput, 'TableName'>): AsyncIterable<Item[]> {
    let start: Item | undefined;
    do {
      const answer = await this.client.send(
        new QueryCommand({ TableName: this.name, ...query, ExclusiveStartKey: start }),
      );
      yield answer.Items ?? [];
      start = answer.LastEvaluatedKey;
    } while (start);
  }

  /** One page of rows whose sort key begins with `prefix`; `before` and `after` are whole sort keys, left out themselves. */
  async page(
    pk: string,
    prefix: string,
    options: {
      limit: number;
      strong?: boolean;
      newestFirst?: boolean;
      before?: string | undefined;
      after?: string | undefined;
    },
  ): Promise<Item[]> {
    // Our keys are of characters between "!" and "~", both left out, and none is the beginning of another.
    const low = options.after === undefined ? prefix || '!' : `${options.after}!`;
    const high = options.before ?? `${prefix}~`;
    const items: Item[] = [];
    let start: Item | undefined;
    // One call reads 1 MB at most, which large rows fill before the limit is reached.
    do {
      const answer = await this.client.send(
        new QueryCommand({
          TableName: this.name,
          KeyConditionExpression: 'pk = :pk AND sk BETWEEN :low AND :high',
          ExpressionAttributeValues: { ':pk': pk, ':low': low, ':high': high },
          ConsistentRead: options.strong ?? false,
          ScanIndexForward: !options.newestFirst,
          Limit: options.limit - items.length + (options.before === undefined ? 0 : 1),
          ExclusiveStartKey: start,
        }),
      );
      items.push(...(answer.Items ?? []).filter((item) => item.sk !== options.before));
      start = answer.LastEvaluatedKey;
    } while (start && items.length < options.limit);
    return items.slice(0, options.limit);
  }

  /** Items by key, in the order of the keys; those that are not there are left out. */
  async getAll(keys: Key[], strong = false): Promise<Item[]> {
    const found = new Map<string, Item>();
    for (let i = 0; i < keys.length; i += 100) {
      let rest: Item[] | undefined = keys.slice(i, i + 100).map((key) => ({ ...key }));
      for (let round = 0; rest?.length; round++) {
        if (round > 4) throw new Error(`DynamoDB left ${rest.length} keys of a batch unread, five times.`);
        const answer: BatchGetCommandOutput = await this.client.send(
          new BatchGetCommand({ RequestItems: { [this.name]: { Keys: rest, ConsistentRead: strong } } }),
        );
        for (const item of answer.Responses?.[this.name] ?? []) found.set(`${item.pk}\n${item.sk}`, item);
        rest = answer.UnprocessedKeys?.[this.name]?.Keys;
      }
    }
    return keys.map((key) => found.get(`${key.pk}\n${key.sk}`)).filter((item) => item !== undefined);
  }

  /** Keys of one list, newest first: the shards' pages merged by their immutable sort key, which is the id. */
  async listKeys(
    tenant: string,
    list: ListName,
    limit: number,
    before: string | undefined,
  ): Promise<Page<{ key: Key; id: string }>> {
    const shards = await Promise.all(
      Array.from({ length: listShards }, (_, shard) =>
        this.listShard(listPartition(tenant, list, shard), limit + 1, before),
      ),
    );
    const entries = shards.flat().sort((a, b) => (a.id < b.id ? 1 : -1));
    const items = entries.slice(0, limit);
    return { items, next: entries.length > limit ? items.at(-1)?.id : undefined };
  }

  private async listShard(
    listPk: string,
    limit: number,
    before: string | undefined,
  ): Promise<{ key: Key; id: string }[]> {
    const answer = await this.client.send(
      new QueryCommand({
        TableName: this.name,
        IndexName: 'list',
        KeyConditionExpression: before === undefined ? 'listPk = :pk' : 'listPk = :pk AND listSk < :before',
        ExpressionAttributeValues: { ':pk': listPk, ...(before === undefined ? {} : { ':before': before }) },
        ScanIndexForward: false,
        Limit: limit,
      }),
    );
    return (answer.Items ?? []).map((item) => ({
      key: { pk: String(item.pk), sk: String(item.sk) },
      id: String(item.listSk),
    }));
  }
}

/** Builds update and condition expressions with bound names and values. */
class Expression {
  private readonly names: Record<string, string> = {};
  private readonly values: Item = {};
  private readonly bound = new Map<string, string>();

  update(changes: Item): string {
    const set: string[] = [];
    const remove: string[] = [];
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) remove.push(this.name(name));
      else set.push(`${this.name(name)} = ${this.value(value)}`);
    }
    return [set.length ? `SET ${set.join(', ')}` : '', remove.length ? `REMOVE ${remove.join(', ')}` : '']
      .join(' ')
      .trim();
  }

  equals(expected: Item): string {
    return Object.entries(expected)
      .map(([name, value]) =>
        value === undefined ? `attribute_not_exists(${this.name(name)})` : `${this.name(name)} = ${this.value(value)}`,
      )
      .join(' AND ');
  }

  bindings() {
    const hasValues = Object.keys(this.values).length > 0;
    return {
      ExpressionAttributeNames: this.names,
      ...(hasValues ? { ExpressionAttributeValues: this.values } : {}),
    };
  }

  private name(name: string): string {
    let alias = this.bound.get(name);
    if (!alias) {
      alias = `#n${this.bound.size}`;
      this.bound.set(name, alias);
      this.names[alias] = name;
    }
    return alias;
  }

  private value(value: unknown): string {
    const alias = `:v${Object.keys(this.values).length}`;
    this.values[alias] = value;
    return alias;
  }
}

/** Whether a conditional write happened. */
export async function whether(write: Promise<unknown>): Promise<boolean> {
  return (await unlessRefused(write.then(() => true))) ?? false;
}

/** What a conditional write answers, or undefined when its condition failed. */
async function unlessRefused<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
}

/** The top-level attributes in which two states differ; undefined stands for removed. */
export function difference(before: Item, after: Item): Item {
  const changes: Item = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (JSON.stringify(before[name]) !== JSON.stringify(after[name])) changes[name] = after[name];
  }
  return changes;
}

export function orConflict(happened: boolean, what: string): void {
  if (!happened) throw new Conflict(what);
}
