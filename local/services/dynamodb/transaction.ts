/** TransactWriteItems and TransactGetItems: all or nothing. */
import { createHash } from 'node:crypto';
import { AwsError } from '../../errors.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import { Bindings } from './bindings.ts';
import { type ConsumedCapacityMode, Consumption } from './capacity.ts';
import { project } from './document.ts';
import { ConditionFailed, checkingItem, InvalidItem, validationError } from './errors.ts';
import type { Meter } from './items.ts';
import { itemSize, readUnits } from './size.ts';
import type { Path } from './syntax.ts';
import type { Table } from './table.ts';
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

type Target = { TableName: string };
interface TransactWriteInput {
  TransactItems: {
    Put?: PutInput & Target;
    Update?: UpdateInput & Target;
    Delete?: KeyInput & Target;
    ConditionCheck?: KeyInput & Target;
  }[];
  ClientRequestToken?: string;
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}
interface TransactGetInput {
  TransactItems: {
    Get: Target & { Key: unknown; ProjectionExpression?: string; ExpressionAttributeNames?: Record<string, string> };
  }[];
  ReturnConsumedCapacity?: ConsumedCapacityMode;
}

interface Reason {
  Code: string;
  Message?: string;
  Item?: Item;
}

interface Read {
  table: Table;
  key: string;
  paths: Path[] | undefined;
}

/** How long a request with the same token has no second effect. */
const tokenMs = 10 * 60_000;
const maxBytes = 4 * 1024 * 1024;
/** Transactions read and write twice: once to prepare, once to commit. */
const transactionFactor = 2;

export class Transactions {
  private readonly environment: Environment;
  private readonly tables: Tables;
  private readonly tokens: StoredMap<{ request: string; atMs: number }>;

  constructor(environment: Environment, tables: Tables) {
    this.environment = environment;
    this.tables = tables;
    this.tokens = environment.store.map('dynamodb/transaction-tokens');
  }

  write(input: TransactWriteInput, meter: Meter): unknown {
    const token = input.ClientRequestToken;
    // Taken now, since reading the request brings its values into their normal form.
    const request = token === undefined ? '' : digest(input.TransactItems);
    const prepared = input.TransactItems.map((item) => orReason(() => this.prepare(item)));
    const writes = prepared.filter((one) => 'table' in one);
    const keys = writes.map((write) => `${write.table.name}/${write.key}`);
    if (new Set(keys).size < keys.length)
      throw validationError('Transaction request cannot include multiple operations on one item');
    if (token !== undefined && this.isRepeated(token, request)) return this.repeated(writes, input, meter);
    const outcomes = decideAll(prepared, meter);
    const consumption = new Consumption('write');
    this.environment.store.atomically(() => {
      for (const outcome of outcomes)
        consumption.add(outcome.write.table.name, outcome.units * transactionFactor, commit(outcome));
      if (token !== undefined) this.tokens.set(token, { request, atMs: this.environment.clock.now() });
    });
    meter(consumption);
    return capacitiesOf(consumption, input);
  }

  get(input: TransactGetInput, meter: Meter): unknown {
    const prepared = input.TransactItems.map(({ Get: get }) => orReason(() => this.prepareRead(get)));
    const reads = prepared.filter((one) => 'table' in one);
    if (reads.length < prepared.length)
      throw cancelled(prepared.map((one) => ('table' in one ? { Code: 'None' } : one)));
    const keys = reads.map(({ table, key }) => `${table.name}/${key}`);
    if (new Set(keys).size < keys.length)
      throw validationError('Transaction request cannot include multiple operations on one item');
    const consumption = new Consumption('read');
    const responses = reads.map((read) => readOne(read, consumption));
    meter(consumption);
    return { Responses: responses, ...capacitiesOf(consumption, input) };
  }

  private prepareRead(get: TransactGetInput['TransactItems'][number]['Get']): Read {
    const table = this.tables.get(get.TableName);
    const bindings = new Bindings(get, ['ProjectionExpression']);
    const paths = bindings.projection(get.ProjectionExpression);
    bindings.finish(table.definition);
    return { table, key: table.keyOf(checkingItem(() => keyParameter(table, get.Key))), paths };
  }

  private prepare(item: TransactWriteInput['TransactItems'][number]): Write {
    const { Put: put, Update: update, Delete: remove, ConditionCheck: check } = item;
    const actions = [put, update, remove, check].filter(Boolean);
    if (actions.length === 0)
      throw validationError('Invalid Request: TransactWriteRequest should contain Delete or Put or Update request');
    if (actions.length > 1) throw validationError('TransactItems can only contain one of Check, Put, Update or Delete');
    if (put) return prepareWrite('Put', this.tables.get(put.TableName), put);
    if (update) return prepareUpdate(this.tables.get(update.TableName), update);
    if (remove) return prepareWrite('Delete', this.tables.get(remove.TableName), remove);
    return prepareWrite('ConditionCheck', this.tables.get(check!.TableName), check!);
  }

  private isRepeated(token: string, request: string): boolean {
    const now = this.environment.clock.now();
    for (const [old, { atMs }] of this.tokens.entries()) {
      if (atMs > now - tokenMs) break;
      this.tokens.delete(old);
    }
    const known = this.tokens.get(token);
    if (!known || known.atMs <= now - tokenMs) return false;
    if (known.request === request) return true;
    throw new AwsError(
      'IdempotentParameterMismatchException',
      'Specified idempotent token was used with different request parameters within the idempotency window',
    );
  }

  /** A repeated request only reads what it wrote the first time. */
  private repeated(writes: Write[], input: TransactWriteInput, meter: Meter): unknown {
    const consumption = new Consumption('read');
    for (const { table, key } of writes) {
      const item = table.get(key);
      consumption.add(table.name, readUnits(item ? itemSize(item) : 0, true) * transactionFactor);
    }
    meter(consumption);
    return capacitiesOf(consumption, input);
  }
}

/** @throws TransactionCanceledException with a reason for each write when one can't be done */
function decideAll(prepared: (Write | Reason)[], meter: Meter): Outcome[] {
  const outcomes: Outcome[] = [];
  const reasons: Reason[] = [];
  let bytes = 0;
  for (const one of prepared) {
    const outcome = 'table' in one ? decide(one) : one;
    if ('write' in outcome) {
      outcomes.push(outcome);
      bytes += outcome.after ? itemSize(outcome.after) : 0;
      reasons.push({ Code: 'None' });
    } else reasons.push(outcome);
  }
  if (bytes > maxBytes) throw validationError(`Transaction payload size cannot exceed 4MB. Payload Size: ${bytes}`);
  if (outcomes.length === prepared.length) return outcomes;
  const consumption = new Consumption('write');
  const writes = prepared.filter((one) => 'table' in one);
  for (const { table, key } of writes)
    consumption.add(table.name, unitsOf(table.get(key), undefined) * transactionFactor);
  meter(consumption);
  throw cancelled(reasons);
}

/** @param reasons one for each action of the transaction */
function cancelled(reasons: Reason[]): AwsError {
  const codes = reasons.map((reason) => reason.Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    400,
    { CancellationReasons: reasons },
  );
}

/** What an action is, or why a key or an item of it cancels the transaction. */
function orReason<T>(prepare: () => T): T | Reason {
  try {
    return prepare();
  } catch (error) {
    if (error instanceof InvalidItem) return { Code: 'ValidationError', Message: error.message };
    throw error;
  }
}

function decide(write: Write): Outcome | Reason {
  try {
    return evaluate(write);
  } catch (error) {
    if (error instanceof ConditionFailed)
      return { Code: 'ConditionalCheckFailed', Message: error.message, ...(error.item && { Item: error.item }) };
    if (error instanceof AwsError && error.code === 'ValidationException')
      return { Code: 'ValidationError', Message: error.message };
    throw error;
  }
}

function readOne(read: Read, consumption: Consumption): unknown {
  const { table, key, paths } = read;
  const item = table.get(key);
  consumption.add(table.name, readUnits(item ? itemSize(item) : 0, true) * transactionFactor);
  return item ? { Item: paths ? project(item, paths) : item } : {};
}

function capacitiesOf(consumption: Consumption, input: { ReturnConsumedCapacity?: ConsumedCapacityMode }) {
  const capacity = consumption.render(input.ReturnConsumedCapacity, true);
  return capacity ? { ConsumedCapacity: capacity } : {};
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64');
}
