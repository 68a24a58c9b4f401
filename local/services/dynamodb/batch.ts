/** BatchGetItem and BatchWriteItem. */
import { Bindings } from './bindings.ts';
import { type ConsumedCapacityMode, Consumption } from './capacity.ts';
import { project } from './document.ts';
import { validationError } from './errors.ts';
import type { Meter } from './items.ts';
import { itemSize, readUnits } from './size.ts';
import type { Table } from './table.ts';
import type { Tables } from './tables.ts';
import type { Item } from './value.ts';
import { commit, evaluate, keyParameter, prepareWrite, type Write } from './write.ts';

const maxReads = 100;
const maxWrites = 25;
/** What one BatchGetItem returns at most; the rest comes back as `UnprocessedKeys`. */
const maxAnswerBytes = 16 * 1024 * 1024;

interface KeysInput {
  Keys: unknown[];
  ConsistentRead?: boolean;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
}
interface BatchGetInput {
  RequestItems: Record<string, KeysInput>;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}
interface BatchWriteInput {
  RequestItems: Record<string, { PutRequest?: { Item: unknown }; DeleteRequest?: { Key: unknown } }[]>;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}

export function batchGetItem(tables: Tables, input: BatchGetInput, meter: Meter): unknown {
  const requests = Object.entries(input.RequestItems);
  if (requests.reduce((sum, [, request]) => sum + request.Keys.length, 0) > maxReads)
    throw validationError('Too many items requested for the BatchGetItem call');
  const reads = requests.map(([name, request]) => prepareReads(name, tables.get(name), request));
  const consumption = new Consumption('read');
  const responses: Record<string, Item[]> = {};
  const unprocessed: Record<string, unknown> = {};
  let bytes = 0;
  for (const { name, table, request, keys, paths } of reads) {
    const items: Item[] = [];
    const rest: Item[] = [];
    for (const key of keys) {
      const item = bytes < maxAnswerBytes ? table.get(table.keyOf(key)) : undefined;
      const size = item ? itemSize(item) : 0;
      if (bytes + size > maxAnswerBytes || bytes >= maxAnswerBytes) {
        bytes = maxAnswerBytes;
        rest.push(key);
        continue;
      }
      bytes += size;
      consumption.add(table.name, readUnits(size, request.ConsistentRead ?? false));
      if (item) items.push(paths ? project(item, paths) : item);
    }
    responses[name] = items;
    if (rest.length > 0) unprocessed[name] = { ...request, Keys: rest };
  }
  meter(consumption);
  return { Responses: responses, UnprocessedKeys: unprocessed, ...capacitiesOf(consumption, input) };
}

function prepareReads(name: string, table: Table, request: KeysInput) {
  const bindings = new Bindings(request, ['ProjectionExpression']);
  const paths = bindings.projection(request.ProjectionExpression);
  bindings.finish(table.definition);
  const keys = request.Keys.map((key) => keyParameter(table, key));
  refuseDuplicates(keys.map((key) => table.keyOf(key)));
  return { name, table, request, keys, paths };
}

export function batchWriteItem(tables: Tables, input: BatchWriteInput, meter: Meter): unknown {
  const requests = Object.entries(input.RequestItems);
  if (requests.reduce((sum, [, writes]) => sum + writes.length, 0) > maxWrites)
    throw validationError('Too many items requested for the BatchWriteItem call');
  const writes = requests.flatMap(([name, ofTable]) => {
    const table = tables.get(name);
    const prepared = ofTable.map((request) => prepareOne(table, request));
    refuseDuplicates(prepared.map((write) => write.key));
    return prepared;
  });
  const consumption = new Consumption('write');
  for (const write of writes) {
    const outcome = evaluate(write);
    consumption.add(write.table.name, outcome.units, commit(outcome));
  }
  meter(consumption);
  return { UnprocessedItems: {}, ...capacitiesOf(consumption, input) };
}

function prepareOne(table: Table, request: BatchWriteInput['RequestItems'][string][number]): Write {
  const { PutRequest: put, DeleteRequest: remove } = request;
  if (put && !remove) return prepareWrite('Put', table, put);
  if (remove && !put) return prepareWrite('Delete', table, remove);
  throw validationError(
    'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
  );
}

function refuseDuplicates(keys: string[]): void {
  if (new Set(keys).size < keys.length) throw validationError('Provided list of item keys contains duplicates');
}

function capacitiesOf(consumption: Consumption, input: { ReturnConsumedCapacity?: ConsumedCapacityMode }) {
  const capacity = consumption.render(input.ReturnConsumedCapacity);
  return capacity ? { ConsumedCapacity: capacity } : {};
}
