/** Makes a request bad, in one of the ways in which programs do. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Draw } from '../draw.ts';
import type { Input, Operation } from './operations.ts';

type Members = Record<string, unknown>;

const expressionNames = [
  'ConditionExpression',
  'UpdateExpression',
  'KeyConditionExpression',
  'FilterExpression',
  'ProjectionExpression',
];
const badValues: readonly AttributeValue[] = [
  { SS: [] },
  { NS: [] },
  { SS: ['a', 'a'] },
  { NS: ['1', '1.0'] },
  { BS: [Uint8Array.of(1), Uint8Array.of(1)] },
  { N: 'abc' },
  { N: '' },
  { N: '1e126' },
  { N: '-1e126' },
  { N: '1e-131' },
  { N: '123456789012345678901234567890123456789' },
  { NS: ['1', 'x'] },
  { S: '' },
  { B: new Uint8Array() },
  { L: [{ M: { x: { SS: [] } } }] },
];
/** Too long for a key. Not where an index's key could become so long: DynamoDB refuses that, DynamoDB Local does not. */
const longValues: readonly AttributeValue[] = [{ S: 'x'.repeat(2049) }, { S: 'x'.repeat(1025) }];
const snippets = [
  '=',
  '==',
  '(',
  ')',
  ',',
  'AND',
  'OR',
  'NOT',
  ':v9',
  '#n9',
  'status',
  'size(a)',
  '.',
  '[0]',
  '0',
  '&',
  '',
];

export function ruin(draw: Draw, operation: Operation): Operation {
  const copy = structuredClone(operation);
  const target = draw.of(partsOf(copy.input));
  const change = draw.weighted<() => void>([
    [6, () => () => garbleExpression(draw, target)],
    [2, () => () => void delete target[draw.of(Object.keys(target))]],
    [3, () => () => ruinValue(draw, target)],
    [4, () => () => ruinKey(draw, target)],
    [1, () => () => Object.assign(target, { ExpressionAttributeNames: { ...names(target), '#unused': 'a' } })],
    [1, () => () => Object.assign(target, { ExpressionAttributeValues: { ...values(target), ':unused': { S: 'x' } } })],
    [
      1,
      () => () => Object.assign(target, { ExpressionAttributeNames: draw.of<object>([{}, { x: 'a' }, { '#x': '' }]) }),
    ],
    [1, () => () => Object.assign(target, { ExpressionAttributeValues: draw.of<object>([{}, { x: { S: 'a' } }]) })],
    [2, () => () => ruinParameter(draw, copy)],
    [1, () => () => repeatEntry(draw, copy.input)],
  ]);
  change();
  return copy;
}

/** The request and the requests within it. */
function partsOf(input: Input): Members[] {
  const parts: Members[] = [input];
  for (const item of (input.TransactItems as Record<string, Members>[] | undefined) ?? [])
    parts.push(...Object.values(item));
  for (const request of Object.values((input.RequestItems as Record<string, unknown> | undefined) ?? {})) {
    if (!Array.isArray(request)) parts.push(request as Members);
    else for (const write of request) parts.push(...Object.values(write as Record<string, Members>));
  }
  return parts.filter((part) => Object.keys(part).length > 0);
}

const names = (target: Members) => target.ExpressionAttributeNames as object | undefined;
const values = (target: Members) => target.ExpressionAttributeValues as object | undefined;

function garbleExpression(draw: Draw, target: Members): void {
  const present = expressionNames.filter((name) => typeof target[name] === 'string');
  if (present.length === 0) return;
  const name = draw.of(present);
  const tokens = (target[name] as string).match(/[A-Za-z0-9_#:]+|<>|<=|>=|\s+|./gu) ?? [];
  const at = draw.below(tokens.length);
  draw.weighted<unknown>([
    [3, () => tokens.splice(at, 1)],
    [3, () => tokens.splice(at, 0, ` ${draw.of(snippets)} `)],
    [1, () => tokens.splice(at, 0, tokens[at]!)],
    [1, () => tokens.splice(at, 1, draw.of(snippets))],
    [0.5, () => tokens.splice(0)],
    [0.5, () => tokens.splice(at)],
  ]);
  target[name] = tokens.join('');
}

function ruinValue(draw: Draw, target: Members): void {
  const holder = [target.Item, target.ExpressionAttributeValues, target.Key].filter((one) => one !== undefined);
  if (holder.length === 0) return;
  const members = draw.of(holder) as Record<string, AttributeValue>;
  members[draw.of(Object.keys(members))] = structuredClone(
    draw.of(target.KeyConditionExpression ? [...badValues, ...longValues] : badValues),
  );
}

function ruinKey(draw: Draw, target: Members): void {
  const lists = (target.Keys as Members[] | undefined) ?? [];
  const holders = [target.Key, target.Item, target.ExclusiveStartKey, ...lists].filter((one) => one !== undefined);
  if (holders.length === 0) return;
  const key = draw.of(holders) as Members;
  const name = draw.of(Object.keys(key));
  draw.weighted<unknown>([
    [2, () => delete key[name]],
    [2, () => (key[name] = draw.of([{ S: 'x' }, { N: '1' }, { B: Uint8Array.of(1) }, { BOOL: true }, { NULL: true }]))],
    [1, () => (key[name] = { S: '' })],
    [1, () => (key[name] = structuredClone(key === target.Item ? { S: '' } : draw.of(longValues)))],
    [1, () => (key.extra = { S: 'x' })],
    [1, () => (key.rank = { S: 'x' })],
    [1, () => (key.listPk = { S: '' })],
  ]);
}

function ruinParameter(draw: Draw, { name, input }: Operation): void {
  const isRead = name === 'Query' || name === 'Scan';
  const ruined = draw.of<Input>([
    { TableName: 'missing' },
    { ReturnValues: draw.of(['ALL_NEW', 'UPDATED_NEW', 'SOMETHING']) },
    { ReturnValuesOnConditionCheckFailure: 'SOMETHING' },
    ...(isRead
      ? [
          { IndexName: 'missing' },
          { IndexName: draw.of(['list', 'groups', 'tags']), ConsistentRead: true },
          { Limit: 0 },
          { Limit: -1 },
          { Select: 'SOMETHING' },
          { Select: draw.of(['COUNT', 'ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES', 'SPECIFIC_ATTRIBUTES']) },
          { ExclusiveStartKey: draw.of<Members>([{}, { pk: { S: 'p' } }, { pk: { S: 'p' }, sk: { S: 'a' } }]) },
        ]
      : []),
    ...(name === 'Scan' ? [{ Segment: 1 }, { TotalSegments: 2 }, { Segment: 2, TotalSegments: 2 }] : []),
  ]);
  Object.assign(input, ruined);
}

function repeatEntry(draw: Draw, input: Input): void {
  const lists = [
    input.TransactItems,
    ...Object.values((input.RequestItems as object | undefined) ?? {}).map((one) =>
      Array.isArray(one) ? one : one.Keys,
    ),
  ].filter((list): list is unknown[] => Array.isArray(list));
  if (lists.length === 0) return;
  const list = draw.of(lists);
  const times = draw.weighted([
    [4, () => 1],
    [1, () => 30],
    [1, () => 101],
  ]);
  const entry = draw.of(list);
  for (let time = 0; time < times; time += 1) list.push(structuredClone(entry));
}
