import {
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { makeDynamoDb, makeTable, refusal, tableInput } from './support.ts';

const TableName = 'things';
const Key = { pk: { S: 'p' }, sk: { S: 's' } };
const values = {
  ':n': { N: '5' },
  ':low': { N: '1' },
  ':s': { S: 'x' },
  ':t': { BOOL: true },
  ':l': { L: [] },
  ':ss': { SS: ['a'] },
};

/** The values of `values` that an expression uses. */
function used(expression: string): Partial<UpdateItemCommandInput> {
  const found = Object.entries(values).filter(([name]) => new RegExp(`${name}(?![a-z])`).test(expression));
  return found.length > 0 ? { ExpressionAttributeValues: Object.fromEntries(found) } : {};
}

describe('Condition expressions', () => {
  test.each([
    ['', 'The expression can not be empty;'],
    ['a = ', 'Syntax error; token: "<EOF>", near: "= "'],
    ['a == :n', 'Syntax error; token: "=", near: "== :n"'],
    ['a = :n b', 'Syntax error; token: "b", near: ":n b"'],
    ['a AND b', 'Syntax error; token: "AND", near: "a AND b"'],
    ['a & :n', 'Syntax error; token: "&", near: "a & :n"'],
    ['((a = :n))', 'The expression has redundant parentheses;'],
    ['status = :n', 'Attribute name is a reserved keyword; reserved keyword: status'],
    ['m.Status = :n', 'Attribute name is a reserved keyword; reserved keyword: Status'],
    ['l[00] = :n', 'Syntax error; token: "0", near: "00]"'],
    ['foo(a)', 'Invalid function name; function: foo'],
    ['size(a)', 'The function is not allowed to be used this way in an expression; function: size'],
    ['if_not_exists(a, :n)', 'The function is not allowed in a condition expression; function: if_not_exists'],
    [
      'attribute_exists(a, b)',
      'Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2',
    ],
    ['attribute_exists(:n)', 'Operator or function requires a document path; operator or function: attribute_exists'],
    ['a < :t', 'Incorrect operand type for operator or function; operator or function: <, operand type: BOOL'],
    [
      'begins_with(a, :n)',
      'Incorrect operand type for operator or function; operator or function: begins_with, operand type: N',
    ],
    [
      'a = a',
      'The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]',
    ],
    [
      'a BETWEEN :n AND :low',
      'The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:5}, upper bound operand: AttributeValue: {N:1}',
    ],
    ['#x = :n', 'An expression attribute name used in the document path is not defined; attribute name: #x'],
    ['a = :undefined', 'An expression attribute value used in expression is not defined; attribute value: :undefined'],
  ])('%s', async (expression, detail) => {
    const { db } = await makeTable();
    const call = db.send(
      new UpdateItemCommand({ TableName, Key, ConditionExpression: expression, ...used(expression) }),
    );
    expect(await refusal(call)).toBe(`ValidationException: Invalid ConditionExpression: ${detail}`);
  });
});

describe('Update expressions', () => {
  test.each([
    ['SET a = :n SET b = :n', 'The "SET" section can only be used once in an update expression;'],
    [
      'SET a = :n, a.b = :n',
      'Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]',
    ],
    [
      'SET a.b = :n, a[0] = :n',
      'Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [0]]',
    ],
    [
      'ADD a :s',
      'Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND',
    ],
    [
      'DELETE a :n',
      'Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, typeSet: ALLOWED_FOR_DELETE_OPERAND',
    ],
    ['SET a = :s + :n', 'Incorrect operand type for operator or function; operator or function: +, operand type: S'],
    ['SET a = size(b)', 'The function is not allowed in an update expression; function: size'],
    ['SET a = :n + :n + :n', 'Syntax error; token: "+", near: ":n + :n"'],
    ['ADD a b', 'Syntax error; token: "b", near: "a b"'],
  ])('%s', async (expression, detail) => {
    const { db } = await makeTable();
    const call = db.send(new UpdateItemCommand({ TableName, Key, UpdateExpression: expression, ...used(expression) }));
    expect(await refusal(call)).toBe(`ValidationException: Invalid UpdateExpression: ${detail}`);
  });

  test.each([
    [
      'SET pk = :s',
      'One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key',
    ],
    ['SET a = b', 'The provided expression refers to an attribute that does not exist in the item'],
    ['SET n = s + :n', 'An operand in the update expression has an incorrect data type'],
    ['ADD s :n', 'An operand in the update expression has an incorrect data type'],
    ['SET nowhere.a = :n', 'The document path provided in the update expression is invalid for update'],
    ['REMOVE n.a', 'The document path provided in the update expression is invalid for update'],
  ])('%s on an item that it does not suit', async (expression, message) => {
    const { db } = await makeTable();
    await db.send(new PutItemCommand({ TableName, Item: { ...Key, s: { S: 'x' }, n: { N: '1' } } }));
    const call = db.send(new UpdateItemCommand({ TableName, Key, UpdateExpression: expression, ...used(expression) }));
    expect(await refusal(call)).toBe(`ValidationException: ${message}`);
  });
});

describe('Names and values', () => {
  test.each([
    [
      'an unused value',
      { ConditionExpression: 'a = :n', ExpressionAttributeValues: { ':n': { N: '1' }, ':m': { N: '1' } } },
      'Value provided in ExpressionAttributeValues unused in expressions: keys: {:m}',
    ],
    [
      'an unused name',
      { ConditionExpression: 'attribute_exists(a)', ExpressionAttributeNames: { '#a': 'a' } },
      'Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}',
    ],
    [
      'values without an expression',
      { ExpressionAttributeValues: { ':n': { N: '1' } } },
      'ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null',
    ],
    [
      'a name without its hash',
      { ConditionExpression: 'attribute_exists(a)', ExpressionAttributeNames: { a: 'a' } },
      'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
    ],
    [
      'an empty set',
      { ConditionExpression: 'a = :e', ExpressionAttributeValues: { ':e': { SS: [] } } },
      'ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An string set  may not be empty for key :e',
    ],
  ])('%s is refused', async (_, input, message) => {
    const { db } = await makeTable();
    const call = db.send(new UpdateItemCommand({ TableName, Key, ...(input as Partial<UpdateItemCommandInput>) }));
    expect(await refusal(call)).toBe(`ValidationException: ${message}`);
  });
});

describe('What goes before', () => {
  test.each([
    ['ExpressionAttributeNames: {}', { ExpressionAttributeNames: {} }, 'ExpressionAttributeNames'],
    ['a name without its hash', { ExpressionAttributeNames: { a: 'a' } }, 'ExpressionAttributeNames'],
  ])('Without an expression, %s is refused for that.', async (_, input, parameter) => {
    const { db } = await makeTable();
    expect(await refusal(db.send(new GetItemCommand({ TableName, Key, ...input })))).toBe(
      `ValidationException: ${parameter} can only be specified when using expressions`,
    );
  });

  test('A path into a key is refused in every expression, also where there is no item.', async () => {
    const { db } = await makeTable();
    const message =
      "ValidationException: Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk";
    expect(await refusal(db.send(new GetItemCommand({ TableName, Key, ProjectionExpression: 'a, sk.b' })))).toBe(
      message,
    );
    const check = new DeleteItemCommand({ TableName, Key, ConditionExpression: 'attribute_exists(sk[0])' });
    expect(await refusal(db.send(check))).toBe(message);
  });
});

describe('Items', () => {
  const put = async (attributes: object) => {
    const { db } = await makeTable({
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'at', AttributeType: 'N' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [{ AttributeName: 'at', KeyType: 'HASH' }],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
    });
    return refusal(db.send(new PutItemCommand({ TableName, Item: { ...Key, ...attributes } })));
  };

  test.each([
    [{ sk: undefined }, 'One or more parameter values were invalid: Missing the key sk in the item'],
    [{ pk: { N: '1' } }, 'One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N'],
    [
      { pk: { S: '' } },
      'One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
    ],
    [
      { at: { S: 'now' } },
      'One or more parameter values were invalid: Type mismatch for Index Key at Expected: N Actual: S IndexName: due',
    ],
    [
      { pk: { S: 'x'.repeat(2049) } },
      'One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes',
    ],
    [
      { sk: { S: 'x'.repeat(1025) } },
      'One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes',
    ],
    [{ n: { N: 'abc' } }, 'The parameter cannot be converted to a numeric value: abc'],
    [{ n: { N: '1e126' } }, 'Number overflow. Attempting to store a number with magnitude larger than supported range'],
    [
      { n: { N: '1e-131' } },
      'Number underflow. Attempting to store a number with magnitude smaller than supported range',
    ],
    [{ n: { N: `1${'0'.repeat(37)}1` } }, 'Attempting to store more than 38 significant digits in a Number'],
    [
      { s: { SS: ['a', 'a'] } },
      'One or more parameter values were invalid: Input collection [a, a] contains duplicates.',
    ],
    [{ big: { S: 'x'.repeat(409_600) } }, 'Item size has exceeded the maximum allowed size'],
  ])('%o', async (attributes, message) => {
    expect(await put(attributes)).toBe(`ValidationException: ${message}`);
  });

  test('An item of exactly 400 KB is stored, and an update beyond it is refused.', async () => {
    const { db } = await makeTable();
    const overhead = 'pk'.length + 'p'.length + 'sk'.length + 's'.length + 'big'.length;
    const big = { S: 'x'.repeat(409_600 - overhead) };
    await db.send(new PutItemCommand({ TableName, Item: { ...Key, big } }));
    const call = db.send(
      new UpdateItemCommand({
        TableName,
        Key,
        UpdateExpression: 'SET a = :n',
        ExpressionAttributeValues: { ':n': { N: '1' } },
      }),
    );
    expect(await refusal(call)).toBe('ValidationException: Item size to update has exceeded the maximum allowed size');
  });

  test('A key with another attribute does not match the schema.', async () => {
    const { db } = await makeTable();
    const call = db.send(new GetItemCommand({ TableName, Key: { ...Key, other: { S: 'x' } } }));
    expect(await refusal(call)).toBe('ValidationException: The provided key element does not match the schema');
  });
});

describe('Tables and parameters', () => {
  test('An unknown table is a ResourceNotFoundException.', async () => {
    const { db } = makeDynamoDb();
    expect(await refusal(db.send(new GetItemCommand({ TableName, Key })))).toBe(
      'ResourceNotFoundException: Requested resource not found',
    );
    expect(await refusal(db.send(new DescribeTableCommand({ TableName })))).toBe(
      'ResourceNotFoundException: Requested resource not found: Table: things not found',
    );
  });

  test('A protected table is not deleted.', async () => {
    const { db } = await makeTable({ DeletionProtectionEnabled: true });
    expect(await refusal(db.send(new DeleteTableCommand({ TableName })))).toMatch('protected against deletion');
  });

  test.each([
    [
      'an attribute that is no key',
      {
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
          { AttributeName: 'z', AttributeType: 'S' },
        ],
      },
      'Some AttributeDefinitions are not used. AttributeDefinitions: [pk, sk, z], keys used: [pk, sk]',
    ],
    [
      'a sort key alone',
      { KeySchema: [{ AttributeName: 'pk', KeyType: 'RANGE' }] },
      'Invalid KeySchema: The first KeySchemaElement is not a HASH key type',
    ],
    [
      'a key that is not defined',
      { KeySchema: [{ AttributeName: 'q', KeyType: 'HASH' }] },
      'Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [pk, sk]',
    ],
  ] as const)('CreateTable refuses %s.', async (_, overrides, detail) => {
    const { db } = makeDynamoDb();
    const call = db.send(new CreateTableCommand(tableInput(overrides as never)));
    expect(await refusal(call)).toBe(`ValidationException: One or more parameter values were invalid: ${detail}`);
  });

  test('Local secondary indexes, provisioned throughput and legacy parameters are refused by name.', async () => {
    const { db, service } = makeDynamoDb();
    const create = (overrides: object) => refusal(db.send(new CreateTableCommand({ ...tableInput(), ...overrides })));
    expect(await create({ LocalSecondaryIndexes: [] })).toMatch('parameter LocalSecondaryIndexes of CreateTable');
    expect(await create({ BillingMode: 'PROVISIONED' })).toMatch('BillingMode PROVISIONED');
    expect(await refusal(service.call('PutItem', { TableName, Item: Key, Expected: {} }))).toMatch(
      'parameter Expected of PutItem',
    );
    expect(await refusal(service.call('CreateBackup', {}))).toMatch('operation CreateBackup');
  });

  test('All violated constraints are listed in one message.', async () => {
    const { service } = makeDynamoDb();
    expect(await refusal(service.call('PutItem', { TableName: '', ReturnValues: 'EVERYTHING' }))).toBe(
      "ValidationException: 3 validation errors detected: Value null at 'item' failed to satisfy constraint: Member must not be null; " +
        "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
        "Value 'EVERYTHING' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
    );
  });
});
