/** One write of one item: PutItem, UpdateItem, DeleteItem and the same actions inside batches and transactions. */
import { Bindings } from './bindings.ts';
import type { Units } from './capacity.ts';
import { holds } from './condition.ts';
import { ConditionFailed, checkingItem, invalidValue, serializationError, validationError } from './errors.ts';
import { checkIndexKeys, checkItemKeys, checkKey, keyNames } from './schema.ts';
import { itemSize, maxItemBytes, writeUnits } from './size.ts';
import type { Condition, Path, UpdateAction } from './syntax.ts';
import type { Table } from './table.ts';
import { updated } from './update.ts';
import { type Item, normaliseItem } from './value.ts';

export interface ConditionInput {
  ConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Record<string, unknown>;
  ReturnValuesOnConditionCheckFailure?: 'ALL_OLD' | 'NONE';
}
export type PutInput = ConditionInput & { Item: unknown };
export type KeyInput = ConditionInput & { Key: unknown };
export type UpdateInput = KeyInput & { UpdateExpression?: string };

/** A write whose request is well-formed. Nothing has been read yet. */
export interface Write {
  table: Table;
  key: string;
  /** Paths that an update names. */
  paths: readonly Path[];
  condition: Condition | undefined;
  returnsItemOnFailure: boolean;
  /** The item afterwards, or undefined for none. @throws ValidationException when the present item doesn't allow it */
  next(before: Item | undefined): Item | undefined;
}

/** What a write would do to the item that is there now. */
export interface Outcome {
  write: Write;
  before: Item | undefined;
  after: Item | undefined;
  /** Units of the table, without its indexes. */
  units: number;
}

export function prepareWrite(
  action: 'Put' | 'Delete' | 'ConditionCheck',
  table: Table,
  input: PutInput | KeyInput,
): Write {
  const bindings = new Bindings(input, ['ConditionExpression']);
  const condition = bindings.condition('ConditionExpression', input.ConditionExpression);
  bindings.finish(table.definition);
  const returnsItemOnFailure = input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
  const shared = { table, paths: [], condition, returnsItemOnFailure };
  if ('Item' in input) {
    const item = checkingItem(() => itemOf(table, input.Item));
    return { ...shared, key: table.keyOf(item), next: () => item };
  }
  const key = checkingItem(() => keyParameter(table, (input as KeyInput).Key));
  const next = action === 'Delete' ? () => undefined : (before: Item | undefined) => before;
  return { ...shared, key: table.keyOf(key), next };
}

export function prepareUpdate(table: Table, input: UpdateInput): Write {
  const bindings = new Bindings(input, ['UpdateExpression', 'ConditionExpression']);
  const actions = bindings.update(input.UpdateExpression) ?? [];
  const condition = bindings.condition('ConditionExpression', input.ConditionExpression);
  bindings.finish(table.definition);
  const key = checkingItem(() => {
    refuseKeyUpdates(table, actions);
    return keyParameter(table, input.Key);
  });
  return {
    table,
    key: table.keyOf(key),
    paths: actions.map((action) => action.path),
    condition,
    returnsItemOnFailure: input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD',
    next: (before) => {
      const after = updated(before ?? key, actions);
      if (itemSize(after) > maxItemBytes)
        throw validationError('Item size to update has exceeded the maximum allowed size');
      checkIndexKeys(table.definition, after, true);
      return after;
    },
  };
}

/** @throws ConditionFailed when the condition is false */
export function evaluate(write: Write): Outcome {
  const before = write.table.get(write.key);
  if (write.condition && !holds(write.condition, before ?? {}))
    throw new ConditionFailed(write.returnsItemOnFailure ? before : undefined);
  const after = write.next(before);
  return { write, before, after, units: unitsOf(before, after) };
}

export function commit({ write, after }: Outcome): Units['indexes'] {
  return write.table.write(write.key, after);
}

/** Write units by the larger of the two images. */
export function unitsOf(before: Item | undefined, after: Item | undefined): number {
  return writeUnits(Math.max(before ? itemSize(before) : 0, after ? itemSize(after) : 0));
}

/** Checks an item to be put. */
export function itemOf(table: Table, input: unknown): Item {
  const item = normaliseItem(input, 'Item');
  checkItemKeys(table.definition, item);
  if (itemSize(item) > maxItemBytes) throw validationError('Item size has exceeded the maximum allowed size');
  return item;
}

/** Checks a `Key` parameter. */
export function keyParameter(table: Table, input: unknown): Item {
  if (typeof input !== 'object' || input === null) throw serializationError('Key must be a map of attribute values');
  const key = normaliseItem(input, 'Key');
  checkKey(table.definition, key);
  return key;
}

function refuseKeyUpdates(table: Table, actions: readonly UpdateAction[]): void {
  for (const { path } of actions) {
    const name = String(path[0]);
    if (keyNames(table.definition.keys).includes(name))
      throw invalidValue(`Cannot update attribute ${name}. This attribute is part of the key`);
  }
}
