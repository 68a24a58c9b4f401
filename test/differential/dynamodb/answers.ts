/** What an endpoint answers to an operation, in a form that can be compared. */
import * as sdk from '@aws-sdk/client-dynamodb';
import type { Side, StreamRecord } from './backends.ts';
import type { Operation } from './operations.ts';
import { tables } from './tables.ts';
import { meaningOf } from './wordings.ts';

/** Output, or error, of one operation. Binary values are base64, sets are sorted, errors have a name and a message. */
export type Answer = { output: unknown } | { error: Refusal };

export interface Refusal {
  name: string;
  message: string;
  Item?: unknown;
  CancellationReasons?: { Code: string; Message?: string; Item?: unknown }[];
}

type Command = ConstructorParameters<typeof sdk.PutItemCommand>[0];
const commands = sdk as unknown as Record<string, new (input: unknown) => sdk.PutItemCommand>;
const maxPages = 60;

export async function answerOf({ client, changes }: Side, operation: Operation): Promise<Answer> {
  try {
    if (operation.name === 'ReadStream') return { output: changesOf(await changes(String(operation.input.TableName))) };
    const output = operation.everyPage ? await everyPage(client, operation) : await send(client, operation);
    return { output: comparable(output) };
  } catch (error) {
    if (!(error instanceof sdk.DynamoDBServiceException)) throw error;
    const { name, message, ...members } = error as sdk.DynamoDBServiceException & Record<string, unknown>;
    const { Item, CancellationReasons } = members;
    const parts = { name, message: error.message, Item, CancellationReasons };
    return { error: comparable(JSON.parse(JSON.stringify(parts, bytesAsText))) as Refusal };
  }
}

/** What happened to each item, in its order: among items there is none. */
function changesOf(records: StreamRecord[]): unknown {
  const byKey = Map.groupBy(records, ({ dynamodb }) => sortedText(dynamodb?.Keys));
  const told = ({ eventName, dynamodb }: StreamRecord) =>
    comparable({ eventName, OldImage: dynamodb?.OldImage ?? null, NewImage: dynamodb?.NewImage ?? null });
  return Object.fromEntries([...byKey].sort().map(([key, changes]) => [key, changes.map(told)]));
}

async function send(client: sdk.DynamoDBClient, { name, input }: Operation): Promise<Record<string, unknown>> {
  const CommandOf = commands[`${name}Command`]!;
  // DynamoDB Local answers a DeleteItem with capacity that nobody asked for.
  const {
    $metadata: _,
    ConsumedCapacity: __,
    ...output
  } = await client.send(new CommandOf(structuredClone(input) as unknown as Command));
  return JSON.parse(JSON.stringify(output, bytesAsText));
}

async function everyPage(client: sdk.DynamoDBClient, operation: Operation): Promise<unknown> {
  const pages: Record<string, unknown>[] = [];
  let input = operation.input;
  do {
    const page = await send(client, { ...operation, input });
    pages.push(page);
    input = { ...operation.input, ExclusiveStartKey: keyFrom(page.LastEvaluatedKey) };
  } while (pages.at(-1)?.LastEvaluatedKey && pages.length < maxPages);
  const index = tables.flatMap((table) => table.indexes).find(({ name }) => name === operation.input.IndexName);
  return operation.name === 'Query' && !index ? ordered(pages) : unordered(pages, operation, index?.keys[1]?.name);
}

/** Whether the last page has a key although nothing follows is not promised (API Reference, Query: LastEvaluatedKey). */
function ordered(pages: Record<string, unknown>[]): unknown {
  const read = pages.filter((page, at) => at === 0 || page.ScannedCount !== 0);
  const { LastEvaluatedKey: _, ...last } = read.pop()!;
  return [...read, last];
}

/**
 * A scan's order is that of a hash which AWS doesn't tell, and so is that of an index's items with equal keys: only what
 * all pages hold together can be compared, and the order of the sort keys that a query of an index returns.
 */
function unordered(pages: Record<string, unknown>[], operation: Operation, sortKey: string | undefined): unknown {
  const items = pages.flatMap(itemsOf);
  return {
    ...(operation.name === 'Query' && sortKey !== undefined && { order: items.map((item) => item[sortKey] ?? null) }),
    Count: pages.reduce((sum, page) => sum + Number(page.Count), 0),
    ScannedCount: pages.reduce((sum, page) => sum + Number(page.ScannedCount), 0),
    Items: items.map(sortedText).sort(),
  };
}

function itemsOf(page: Record<string, unknown>): Record<string, unknown>[] {
  return (page.Items as Record<string, unknown>[] | undefined) ?? [];
}

/** A key as the client takes it, from its text form. */
function keyFrom(key: unknown): unknown {
  return JSON.parse(JSON.stringify(key ?? null), (name, value) =>
    name === 'B' && typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value,
  ) as unknown;
}

function bytesAsText(this: Record<string, unknown>, name: string, value: unknown): unknown {
  const original = this[name];
  return original instanceof Uint8Array ? Buffer.from(original).toString('base64') : value;
}

/** Without order where there is none: members, sets, what a batch returns. */
function comparable(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) {
    const elements = value.map((element) => comparable(element, name === 'NS' ? 'N' : ''));
    const isSet = ['SS', 'NS', 'BS'].includes(name) && elements.every((element) => typeof element === 'string');
    return isSet ? elements.sort() : elements;
  }
  if (name === 'N') return plainNumber(String(value));
  if (name === 'message' || name === 'Message') return meaningOf(String(value));
  if (typeof value !== 'object' || value === null) return value;
  const sorted = Object.entries(value).sort(([one], [two]) => (one < two ? -1 : 1));
  const members = sorted.map(([member, inner]) => [member, comparable(inner, member)] as const);
  if (name === 'Responses' || name === 'UnprocessedItems')
    return Object.fromEntries(members.map(([table, items]) => [table, (items as unknown[]).map(sortedText).sort()]));
  return Object.fromEntries(members);
}

function sortedText(value: unknown): string {
  return JSON.stringify(comparable(value));
}

/** A number's digits and exponent: DynamoDB Local returns numbers in documents as they were written, DynamoDB without superfluous zeros. */
function plainNumber(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign === '-' ? '-' : ''}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
