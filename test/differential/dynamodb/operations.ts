/** Random operations, mostly well-formed. */
import type { Draw } from '../draw.ts';
import { ruin } from './mischief.ts';
import { rouseOperation } from './rouse-operations.ts';
import { type Index, type Table, tables } from './tables.ts';
import { attributes, type Item, itemOf, keyOf } from './values.ts';
import { Wording } from './wording.ts';

export type Input = Record<string, unknown>;

/** One step of a sequence: an operation of the API, or `ReadStream` for all records of a table's stream. */
export interface Operation {
  name: string;
  input: Input;
  /** Follow `LastEvaluatedKey` to the last page. */
  everyPage?: boolean;
}

/** A sequence of operations, at whose end the streams are read. */
export function sequenceOf(draw: Draw, length: number): Operation[] {
  const operations = Array.from({ length }, () => operationOf(draw));
  return [...operations, ...tables.map(({ name }) => ({ name: 'ReadStream', input: { TableName: name } }))];
}

export function operationOf(draw: Draw): Operation {
  const operation = draw.weighted<Operation>([
    [8, () => rouseOperation(draw)],
    [18, () => put(draw)],
    [24, () => update(draw)],
    [6, () => remove(draw)],
    [7, () => get(draw)],
    [14, () => query(draw)],
    [5, () => scan(draw)],
    [4, () => batchGet(draw)],
    [5, () => batchWrite(draw)],
    [7, () => transactWrite(draw)],
    [3, () => transactGet(draw)],
  ]);
  return draw.chance(0.15) ? ruin(draw, operation) : operation;
}

function condition(draw: Draw, wording: Wording, probability: number): Input {
  return {
    ...(draw.chance(probability) && { ConditionExpression: wording.condition() }),
    ...(draw.chance(0.4) && { ReturnValuesOnConditionCheckFailure: draw.of(['ALL_OLD', 'ALL_OLD', 'NONE']) }),
  };
}

function put(draw: Draw): Operation {
  const table = draw.of(tables);
  return {
    name: 'PutItem',
    input: { ...putPart(draw, table), ...returned(draw, ['ALL_OLD', 'NONE']) },
  };
}

function putPart(draw: Draw, table: Table): Input {
  const wording = new Wording(draw, table);
  const input = { TableName: table.name, Item: itemOf(draw, table), ...condition(draw, wording, 0.3) };
  return { ...input, ...wording.bindings() };
}

function update(draw: Draw): Operation {
  const table = draw.of(tables);
  const input = {
    ...updatePart(draw, table),
    ...returned(draw, ['ALL_OLD', 'ALL_NEW', 'UPDATED_OLD', 'UPDATED_NEW', 'NONE']),
  };
  return { name: 'UpdateItem', input };
}

function updatePart(draw: Draw, table: Table): Input {
  const wording = new Wording(draw, table);
  // DynamoDB refuses an update of a key before it looks at the item, DynamoDB Local only when the condition holds.
  const isConditional = draw.chance(0.3);
  const input = {
    TableName: table.name,
    Key: keyOf(draw, table),
    UpdateExpression: wording.update(!isConditional),
    ...condition(draw, wording, isConditional ? 1 : 0),
  };
  return { ...input, ...wording.bindings() };
}

function remove(draw: Draw): Operation {
  const table = draw.of(tables);
  const input = { ...keyPart(draw, table, 0.3), ...returned(draw, ['ALL_OLD', 'NONE']) };
  return { name: 'DeleteItem', input };
}

function keyPart(draw: Draw, table: Table, probability: number): Input {
  const wording = new Wording(draw, table);
  const input = { TableName: table.name, Key: keyOf(draw, table), ...condition(draw, wording, probability) };
  return { ...input, ...wording.bindings() };
}

function returned(draw: Draw, choices: string[]): Input {
  return draw.chance(0.6) ? { ReturnValues: draw.of(choices) } : {};
}

function get(draw: Draw): Operation {
  return { name: 'GetItem', input: { ...getPart(draw, draw.of(tables)), ...strong(draw) } };
}

function getPart(draw: Draw, table: Table): Input {
  const wording = new Wording(draw, table);
  const projection = draw.chance(0.4) ? { ProjectionExpression: wording.projection() } : {};
  return { TableName: table.name, Key: keyOf(draw, table), ...projection, ...wording.bindings() };
}

function strong(draw: Draw): Input {
  return draw.chance(0.4) ? { ConsistentRead: draw.chance(0.8) } : {};
}

function readPart(draw: Draw, table: Table, wording: Wording): Input {
  return {
    TableName: table.name,
    ...(draw.chance(0.4) && { FilterExpression: wording.condition(1) }),
    ...(draw.chance(0.25) && { ProjectionExpression: wording.projection() }),
    ...(draw.chance(0.4) && { Limit: 1 + draw.below(6) }),
    ...(draw.chance(0.15) && {
      Select: draw.of(['COUNT', 'ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES', 'SPECIFIC_ATTRIBUTES']),
    }),
  };
}

function query(draw: Draw): Operation {
  const table = draw.of(tables);
  const index = table.indexes.length > 0 && draw.chance(0.6) ? draw.of(table.indexes) : undefined;
  const wording = new Wording(draw, table, readableOf(draw, table, index, false));
  const input = {
    ...readPart(draw, table, wording),
    ...(index ? { IndexName: index.name } : strong(draw)),
    KeyConditionExpression: wording.keyCondition((index ?? table).keys),
    ...(draw.chance(0.5) && { ScanIndexForward: draw.chance(0.3) }),
  };
  return { name: 'Query', input: { ...input, ...wording.bindings() }, everyPage: true };
}

function scan(draw: Draw): Operation {
  const table = draw.of(tables);
  const index = table.indexes.length > 0 && draw.chance(0.4) ? draw.of(table.indexes) : undefined;
  const wording = new Wording(draw, table, readableOf(draw, table, index, true));
  const input = { ...readPart(draw, table, wording), ...(index ? { IndexName: index.name } : strong(draw)) };
  return { name: 'Scan', input: { ...input, ...wording.bindings() }, everyPage: true };
}

/** What an index that doesn't project everything has to offer, mostly: a query of anything else is refused. */
function readableOf(
  draw: Draw,
  table: Table,
  index: Index | undefined,
  isScan: boolean,
): readonly string[] | undefined {
  if (!index || index.projection.ProjectionType === 'ALL') return undefined;
  if (!isScan && draw.chance(0.1)) return attributes;
  const others = table.keys.filter((key) => !index.keys.some(({ name }) => name === key.name));
  return [...(isScan ? index.keys : []), ...others]
    .map(({ name }) => name)
    .concat(index.projection.NonKeyAttributes ?? []);
}

function batchGet(draw: Draw): Operation {
  const requests = draw.some(1 + draw.below(2), tables).map((table) => {
    const wording = new Wording(draw, table);
    const projection = draw.chance(0.3) ? { ProjectionExpression: wording.projection() } : {};
    const keys = distinct(draw.many(1, 5, () => keyOf(draw, table)));
    const { ExpressionAttributeNames } = wording.bindings();
    const names = ExpressionAttributeNames && { ExpressionAttributeNames };
    return [table.name, { Keys: keys, ...projection, ...names, ...strong(draw) }];
  });
  return { name: 'BatchGetItem', input: { RequestItems: Object.fromEntries(requests) } };
}

function batchWrite(draw: Draw): Operation {
  const requests = draw.some(1 + draw.below(2), tables).map((table) => {
    const keys = distinct(draw.many(1, 5, () => keyOf(draw, table)));
    const writes = keys.map((key) =>
      draw.chance(0.6) ? { PutRequest: { Item: { ...itemOf(draw, table), ...key } } } : { DeleteRequest: { Key: key } },
    );
    return [table.name, writes];
  });
  return { name: 'BatchWriteItem', input: { RequestItems: Object.fromEntries(requests) } };
}

function transactWrite(draw: Draw): Operation {
  const items = draw.many(1, 4, () => {
    const table = draw.of(tables);
    return draw.weighted<Input>([
      [3, () => ({ Put: putPart(draw, table) })],
      [4, () => ({ Update: updatePart(draw, table) })],
      [2, () => ({ Delete: keyPart(draw, table, 0.3) })],
      [2, () => ({ ConditionCheck: keyPart(draw, table, 1) })],
    ]);
  });
  return { name: 'TransactWriteItems', input: { TransactItems: items } };
}

function transactGet(draw: Draw): Operation {
  const items = draw.many(1, 4, () => ({ Get: getPart(draw, draw.of(tables)) }));
  return { name: 'TransactGetItems', input: { TransactItems: items } };
}

function distinct(keys: Item[]): Item[] {
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
}
