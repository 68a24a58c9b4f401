/** PutItem, UpdateItem, DeleteItem, GetItem. */
import { Bindings } from './bindings.ts';
import { type ConsumedCapacityMode, Consumption } from './capacity.ts';
import { project } from './document.ts';
import { ConditionFailed, validationError } from './errors.ts';
import { itemSize, readUnits } from './size.ts';
import type { Tables } from './tables.ts';
import type { Item } from './value.ts';
import {
  commit,
  evaluate,
  type KeyInput,
  keyParameter,
  type Outcome,
  type PutInput,
  prepareUpdate,
  prepareWrite,
  type UpdateInput,
  unitsOf,
  type Write,
} from './write.ts';

/** Told of what each call consumes, also when its condition fails. */
export type Meter = (consumption: Consumption) => void;

type ReturnValues = 'NONE' | 'ALL_OLD' | 'UPDATED_OLD' | 'ALL_NEW' | 'UPDATED_NEW';
interface AnswerInput {
  TableName: string;
  ReturnValues?: ReturnValues;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}

export function putItem(tables: Tables, input: PutInput & AnswerInput, meter: Meter): unknown {
  refuseReturnOfNew(input);
  return perform(prepareWrite('Put', tables.get(input.TableName), input), input, meter);
}

export function deleteItem(tables: Tables, input: KeyInput & AnswerInput, meter: Meter): unknown {
  refuseReturnOfNew(input);
  return perform(prepareWrite('Delete', tables.get(input.TableName), input), input, meter);
}

export function updateItem(tables: Tables, input: UpdateInput & AnswerInput, meter: Meter): unknown {
  return perform(prepareUpdate(tables.get(input.TableName), input), input, meter);
}

function perform(write: Write, input: AnswerInput, meter: Meter): unknown {
  const consumption = new Consumption('write');
  try {
    const outcome = evaluate(write);
    consumption.add(write.table.name, outcome.units, commit(outcome));
    const attributes = returnedValues(outcome, input.ReturnValues ?? 'NONE');
    return {
      ...(attributes && { Attributes: attributes }),
      ...capacityOf(consumption, input.ReturnConsumedCapacity),
    };
  } catch (error) {
    // A failed condition costs as much as the item that it looked at.
    if (error instanceof ConditionFailed)
      consumption.add(write.table.name, unitsOf(write.table.get(write.key), undefined));
    throw error;
  } finally {
    meter(consumption);
  }
}

function returnedValues({ write, before, after }: Outcome, wanted: ReturnValues): Item | undefined {
  switch (wanted) {
    case 'NONE':
      return undefined;
    case 'ALL_OLD':
      return before;
    case 'ALL_NEW':
      return after;
    case 'UPDATED_OLD':
      return before && nonEmpty(project(before, write.paths));
    case 'UPDATED_NEW':
      return after && nonEmpty(project(after, write.paths));
    default:
      return wanted satisfies never;
  }
}

function nonEmpty(item: Item): Item | undefined {
  return Object.keys(item).length > 0 ? item : undefined;
}

function refuseReturnOfNew({ ReturnValues: wanted = 'NONE' }: AnswerInput): void {
  if (wanted !== 'NONE' && wanted !== 'ALL_OLD') throw validationError('Return values set to invalid value');
}

interface GetInput {
  TableName: string;
  Key: unknown;
  ConsistentRead?: boolean;
  ProjectionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}

export function getItem(tables: Tables, input: GetInput, meter: Meter): unknown {
  const table = tables.get(input.TableName);
  const bindings = new Bindings(input, ['ProjectionExpression']);
  const paths = bindings.projection(input.ProjectionExpression);
  bindings.finish(table.definition);
  const item = table.get(table.keyOf(keyParameter(table, input.Key)));
  const consumption = new Consumption('read');
  consumption.add(table.name, readUnits(item ? itemSize(item) : 0, input.ConsistentRead ?? false));
  meter(consumption);
  return {
    ...(item && { Item: paths ? project(item, paths) : item }),
    ...capacityOf(consumption, input.ReturnConsumedCapacity),
  };
}

/** The `ConsumedCapacity` of an answer about one table. */
export function capacityOf(consumption: Consumption, mode: ConsumedCapacityMode | undefined) {
  const capacity = consumption.render(mode);
  return capacity ? { ConsumedCapacity: capacity[0] } : {};
}
