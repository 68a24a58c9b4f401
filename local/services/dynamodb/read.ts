/** Query and Scan, page by page, on tables and indexes. */
import { Bindings } from './bindings.ts';
import { type ConsumedCapacityMode, Consumption } from './capacity.ts';
import { holds } from './condition.ts';
import { project } from './document.ts';
import { invalidValue, validationError } from './errors.ts';
import { capacityOf, type Meter } from './items.ts';
import { keyRange } from './key-condition.ts';
import { inSegment, keyOf, type Row, type Rows, type Walk } from './rows.ts';
import { keyNames } from './schema.ts';
import { itemSize, maxPageBytes, readUnits } from './size.ts';
import type { Condition, Path } from './syntax.ts';
import type { Index, Table } from './table.ts';
import type { Tables } from './tables.ts';
import { attribute, type Item, normaliseItem } from './value.ts';

interface ReadInput {
  TableName: string;
  IndexName?: string;
  ConsistentRead?: boolean;
  ExclusiveStartKey?: unknown;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, unknown>;
  FilterExpression?: string;
  Limit?: number;
  ProjectionExpression?: string;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
  Select?: 'SPECIFIC_ATTRIBUTES' | 'COUNT' | 'ALL_ATTRIBUTES' | 'ALL_PROJECTED_ATTRIBUTES';
}
export type QueryInput = ReadInput & { KeyConditionExpression?: string; ScanIndexForward?: boolean };
export type ScanInput = ReadInput & { Segment?: number; TotalSegments?: number };

/** A table or one of its indexes, about to be read. */
interface Source {
  table: Table;
  index: Index | undefined;
  rows: Rows;
}

interface Filter {
  condition: Condition | undefined;
  paths: Path[] | undefined;
}

export function query(tables: Tables, input: QueryInput, meter: Meter): unknown {
  const source = sourceOf(tables, input);
  if (input.KeyConditionExpression === undefined)
    throw validationError(
      'Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.',
    );
  const bindings = new Bindings(input, ['KeyConditionExpression', 'FilterExpression', 'ProjectionExpression']);
  const filter = filterOf(bindings, input);
  const condition = bindings.condition('KeyConditionExpression', input.KeyConditionExpression)!;
  bindings.finish(source.table.definition);
  refuseKeysInFilter(source, filter.condition);
  refuseUnprojectedFilter(source, filter);
  checkSelection(source, input, filter);
  const partition = keyRange(condition, source.rows.keys, source.table.definition.types);
  const after = startOf(source, input);
  if (after && after.partition !== partition.value)
    throw validationError('The provided starting key is outside query boundaries based on provided conditions');
  if (after && (partition.range.below(after.sort) || partition.range.above(after.sort)))
    throw validationError('The provided starting key does not match the range key predicate');
  return page(
    source,
    { forward: input.ScanIndexForward ?? true, partition, ...(after && { after }) },
    input,
    filter,
    meter,
  );
}

export function scan(tables: Tables, input: ScanInput, meter: Meter): unknown {
  const source = sourceOf(tables, input);
  const bindings = new Bindings(input, ['FilterExpression', 'ProjectionExpression']);
  const filter = filterOf(bindings, input);
  bindings.finish(source.table.definition);
  checkSelection(source, input, filter);
  const segment = segmentOf(input);
  const after = startOf(source, input);
  if (after && segment && !inSegment(after, segment))
    throw validationError('The provided starting key is outside query boundaries based on provided conditions');
  return page(source, { forward: true, ...(segment && { segment }), ...(after && { after }) }, input, filter, meter);
}

function page(source: Source, walk: Walk, input: ReadInput, filter: Filter, meter: Meter): unknown {
  const { Limit: limit = Number.POSITIVE_INFINITY, Select: select } = input;
  const items: Item[] = [];
  let [count, scanned, bytes] = [0, 0, 0];
  let last: Row | undefined;
  let isCut = false;
  for (const row of source.rows.walk(walk)) {
    bytes += itemSize(row.item);
    scanned += 1;
    last = row;
    if (!filter.condition || holds(filter.condition, row.item)) {
      count += 1;
      if (select !== 'COUNT') items.push(filter.paths ? project(row.item, filter.paths) : row.item);
    }
    isCut = scanned >= limit || bytes >= maxPageBytes;
    if (isCut) break;
  }
  const consumption = new Consumption('read');
  const units = readUnits(bytes, input.ConsistentRead ?? false);
  if (source.index) consumption.add(source.table.name, 0, [[source.index.definition.name, units]]);
  else consumption.add(source.table.name, units);
  meter(consumption);
  return {
    ...(select !== 'COUNT' && { Items: items }),
    Count: count,
    ScannedCount: scanned,
    ...(isCut && last && { LastEvaluatedKey: positionOf(source, last) }),
    ...capacityOf(consumption, input.ReturnConsumedCapacity),
  };
}

function sourceOf(tables: Tables, input: ReadInput): Source {
  const table = tables.get(input.TableName);
  if (input.IndexName === undefined) return { table, index: undefined, rows: table.rows };
  const index = table.indexes.get(input.IndexName);
  if (!index) throw validationError(`The table does not have the specified index: ${input.IndexName}`);
  if (input.ConsistentRead) throw validationError('Consistent reads are not supported on global secondary indexes');
  return { table, index, rows: index.rows };
}

function filterOf(bindings: Bindings, input: ReadInput): Filter {
  const paths = bindings.projection(input.ProjectionExpression);
  return { condition: bindings.condition('FilterExpression', input.FilterExpression), paths };
}

function checkSelection({ index }: Source, input: ReadInput, { paths }: Filter): void {
  const select = input.Select;
  if (paths && select !== undefined && select !== 'SPECIFIC_ATTRIBUTES')
    throw validationError(
      `Cannot specify the ProjectionExpression when choosing to get ${select === 'COUNT' ? 'only the Count' : select}`,
    );
  if (select === 'SPECIFIC_ATTRIBUTES' && !paths)
    throw validationError(
      'Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES',
    );
  if (select === 'ALL_PROJECTED_ATTRIBUTES' && !index)
    throw validationError('ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName');
  if (!index) return;
  const { name, projection } = index.definition;
  if (select === 'ALL_ATTRIBUTES' && projection.type !== 'ALL')
    throw invalidValue(
      `Select type ALL_ATTRIBUTES is not supported for global secondary index ${name} because its projection type is not ALL`,
    );
  const missing = (paths ?? [])
    .map((path) => String(path[0]))
    .filter((attributeName) => !index.projects(attributeName));
  if (missing.length > 0) throw invalidValue(`Global secondary index ${name} does not project [${missing.join(', ')}]`);
}

/** A query's filter sees only what the index projects; a scan's finds nothing where there is nothing. */
function refuseUnprojectedFilter({ index }: Source, { condition }: Filter): void {
  if (!index || !condition) return;
  const unseen = [...attributesOf(condition)].filter((attributeName) => !index.projects(attributeName));
  if (unseen.length > 0)
    throw invalidValue(
      `Secondary index ${index.definition.name} does not project one or more filter attributes: [${unseen.join(', ')}]`,
    );
}

function segmentOf({ Segment: index, TotalSegments: of }: ScanInput): Walk['segment'] {
  if (index === undefined && of === undefined) return undefined;
  if (of === undefined)
    throw validationError(
      'The TotalSegments parameter is required but was not present in the request when Segment parameter is present',
    );
  if (index === undefined)
    throw validationError(
      'The Segment parameter is required but was not present in the request when parameter TotalSegments is present',
    );
  if (index >= of)
    throw validationError(
      `The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: ${index} is not less than TotalSegments: ${of}`,
    );
  return { index, of };
}

/** The place after which a page begins: the keys of the table and, for an index, its own. */
function startOf(source: Source, input: ReadInput): Row | undefined {
  if (input.ExclusiveStartKey === undefined) return undefined;
  const key = normaliseItem(input.ExclusiveStartKey, 'ExclusiveStartKey');
  const { keys, types } = source.table.definition;
  const names = new Set([...keyNames(keys), ...keyNames(source.rows.keys)]);
  const fits = [...names].every((name) => attribute(key, name)?.[types[name]!] !== undefined);
  if (!fits || Object.keys(key).length !== names.size) throw validationError('The provided starting key is invalid');
  return source.rows.rowOf(key, source.table.keyOf(key));
}

function positionOf(source: Source, row: Row): Item {
  const key = keyOf(source.table.definition.keys, row.item);
  return source.index ? { ...key, ...keyOf(source.rows.keys, row.item) } : key;
}

function refuseKeysInFilter(source: Source, condition: Condition | undefined): void {
  if (!condition) return;
  const used = attributesOf(condition);
  const key = keyNames(source.rows.keys).find((name) => used.has(name));
  if (key !== undefined)
    throw validationError(
      `Filter Expression can only contain non-primary key attributes: Primary key attribute: ${key}`,
    );
}

/** Names of the top-level attributes that occur anywhere in a condition. */
function attributesOf(node: unknown, found = new Set<string>()): Set<string> {
  if (typeof node !== 'object' || node === null) return found;
  const { kind, path } = node as { kind?: string; path?: Path };
  if (kind === 'path' && path) found.add(String(path[0]));
  else if (kind !== 'value') for (const child of Object.values(node)) attributesOf(child, found);
  return found;
}
