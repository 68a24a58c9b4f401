/** The writes and reads that lib/aws makes, word for word, with random values. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Draw } from '../draw.ts';
import type { Operation } from './operations.ts';

const text = (value: string): AttributeValue => ({ S: value });
const count = (value: number): AttributeValue => ({ N: String(value) });

const updates = [
  ['SET duePk = :text, dueAt = :number', 'attribute_exists(pk) AND (attribute_not_exists(dueAt) OR dueAt > :number)'],
  ['SET attemptedMs = if_not_exists(attemptedMs, :number)', 'attribute_exists(pk)'],
  [
    'SET observed = :text, taskArn = if_not_exists(taskArn, :text)',
    'attribute_exists(pk) AND (attribute_not_exists(observed) OR observed.#version < :number)',
  ],
  ['SET leaseUntilMs = :number', 'attempt = :fence AND runtimeId = :text AND #status IN (:running, :cancelling)'],
  ['SET draft = :text, draftFence = :fence', 'attribute_exists(pk) AND attribute_not_exists(finalVersion)'],
  ['SET #status = :text, finalVersion = :number REMOVE draftFence, draft', 'attribute_exists(pk)'],
  ['ADD waiting :number SET #ttl = :number', undefined],
  ['SET #status = :running, runtimeId = :text, attempt = :fence REMOVE leaseUntilMs', '#version = :number'],
  ['SET #version = :number', 'attribute_not_exists(#version) AND #status = :running'],
] as const;

const puts = [
  'attribute_not_exists(pk)',
  'attribute_not_exists(pk) OR #ttl < :number',
  'attribute_not_exists(pk) OR #version < :number',
  'attribute_not_exists(pk) OR #version = :number',
] as const;

const queries = [
  ['pk = :text AND begins_with(sk, :prefix)', undefined],
  ['pk = :text AND sk BETWEEN :low AND :high', undefined],
  ['listPk = :text', 'list'],
  ['listPk = :text AND listSk < :high', 'list'],
  ['duePk = :text AND dueAt <= :number', 'due'],
] as const;

/** An operation on the table `state`. */
export function rouseOperation(draw: Draw): Operation {
  const key = { pk: text(draw.of(['p', 'q'])), sk: text(draw.of(['live#1', 'live#2', 'live#3', 'head'])) };
  const values: Record<string, AttributeValue> = {
    ':text': text(draw.of(['p', 'q', 'r'])),
    ':number': count(draw.below(5)),
    ':fence': count(draw.below(3)),
    ':running': text('running'),
    ':cancelling': text('cancelling'),
    ':prefix': text(draw.of(['live#', 'h', 'none'])),
    ':low': text(draw.of(['!', 'live#1!', 'live#'])),
    ':high': text(draw.of(['~', 'live#2', 'live#~'])),
  };
  return draw.weighted<Operation>([
    [3, () => putRow(draw, key, values)],
    [5, () => changeRow(draw, key, values)],
    [3, () => readRows(draw, values)],
  ]);
}

function putRow(draw: Draw, key: Record<string, AttributeValue>, values: Record<string, AttributeValue>): Operation {
  const condition = draw.of(puts);
  const row = {
    ...key,
    status: text(draw.of(['running', 'queued'])),
    version: count(draw.below(4)),
    attempt: count(draw.below(3)),
    runtimeId: text('r'),
    ttl: count(draw.below(5)),
    ...(draw.chance(0.5) && { listPk: text('p'), listSk: key.sk }),
    ...(draw.chance(0.5) && { observed: { M: { version: count(draw.below(4)) } } }),
  };
  return {
    name: 'PutItem',
    input: { TableName: 'state', Item: row, ConditionExpression: condition, ...bound([condition], values) },
  };
}

function changeRow(draw: Draw, key: Record<string, AttributeValue>, values: Record<string, AttributeValue>): Operation {
  const [update, condition] = draw.of(updates);
  const wanted = draw.chance(0.8) ? condition : undefined;
  const input = {
    TableName: 'state',
    Key: key,
    UpdateExpression: update,
    ...(wanted !== undefined && { ConditionExpression: wanted }),
    ...(draw.chance(0.5) && { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
    ...(draw.chance(0.5) && { ReturnValues: draw.of(['ALL_NEW', 'ALL_OLD', 'UPDATED_NEW']) }),
    ...bound([update, wanted ?? ''], values),
  };
  return { name: 'UpdateItem', input };
}

function readRows(draw: Draw, values: Record<string, AttributeValue>): Operation {
  const [condition, index] = draw.of(queries);
  const input = {
    TableName: 'state',
    KeyConditionExpression: condition,
    ...(index !== undefined && { IndexName: index }),
    ...(draw.chance(0.5) && { ScanIndexForward: false }),
    ...(draw.chance(0.5) && { Limit: 1 + draw.below(2) }),
    ...bound([condition], values),
  };
  return { name: 'Query', input, everyPage: true };
}

/** Only the names and values that the expressions use: others are refused. */
function bound(expressions: string[], values: Record<string, AttributeValue>) {
  const used = expressions.join(' ');
  const names = [...new Set(used.match(/#[a-z]+/gi))].map((placeholder) => [placeholder, placeholder.slice(1)]);
  const needed = Object.entries(values).filter(([placeholder]) => new RegExp(`${placeholder}\\b`).test(used));
  return {
    ...(names.length > 0 && { ExpressionAttributeNames: Object.fromEntries(names) }),
    ...(needed.length > 0 && { ExpressionAttributeValues: Object.fromEntries(needed) }),
  };
}
