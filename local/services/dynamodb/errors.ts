import { AwsError } from '../../errors.ts';
import type { Item } from './value.ts';

/** The request is malformed: nothing was read or written. */
export function validationError(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

/** A `ValidationException` with the prefix that DynamoDB gives to most complaints about values. */
export function invalidValue(detail: string): AwsError {
  return validationError(`One or more parameter values were invalid: ${detail}`);
}

/** A JSON value of the wrong kind, refused before the request is looked at. */
export function serializationError(message: string): AwsError {
  return new AwsError('SerializationException', message);
}

/** @param tableName named in the message by the operations on tables, left out by those on items. */
export function tableNotFound(tableName?: string): AwsError {
  const detail = tableName === undefined ? '' : `: Table: ${tableName} not found`;
  return new AwsError('ResourceNotFoundException', `Requested resource not found${detail}`);
}

/** The condition of a write is false. `item` is the row that made it so, when the caller asked to see it. */
export class ConditionFailed extends AwsError {
  readonly item: Item | undefined;

  constructor(item: Item | undefined) {
    super('ConditionalCheckFailedException', 'The conditional request failed', 400, item ? { Item: item } : {});
    this.item = item;
  }
}

/** A key or an item does not fit its table. In a transaction this is a reason for its cancellation, not a malformed request. */
export class InvalidItem extends AwsError {
  constructor(message: string) {
    super('ValidationException', message);
  }
}

/** Runs a check of a key or an item; its complaints become {@link InvalidItem}s. */
export function checkingItem<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof AwsError && error.code === 'ValidationException') throw new InvalidItem(error.message);
    throw error;
  }
}
