/** KeyConditionExpression: one partition, and a range of its sort keys. */
import { invalidValue, validationError } from './errors.ts';
import { partitionText, type SortRange, sortText, type Walk } from './rows.ts';
import { checkKeySize, type KeySchema } from './schema.ts';
import type { ComparisonOperator, Condition, Operand } from './syntax.ts';
import { type AttributeValue, type KeyType, typeOf } from './value.ts';

interface Part {
  attribute: string;
  operator: '=' | '<' | '<=' | '>' | '>=' | 'BETWEEN' | 'begins_with';
  values: AttributeValue[];
}

const everything: SortRange = { below: () => false, above: () => false };

/** @throws ValidationException when the condition isn't an equality of the partition key and at most one of the sort key */
export function keyRange(
  condition: Condition,
  keys: KeySchema,
  types: Record<string, KeyType>,
): NonNullable<Walk['partition']> {
  const parts = partsOf(condition);
  const attributes = parts.map((part) => part.attribute);
  if (new Set(attributes).size < attributes.length)
    throw validationError('KeyConditionExpressions must only contain one condition per key');
  if (parts.length > 2) throw validationError('Conditions can be of length 1 or 2 only');
  const partition = parts.find((part) => part.attribute === keys.partition);
  if (!partition) throw validationError(`Query condition missed key schema element: ${keys.partition}`);
  const other = parts.find((part) => part !== partition);
  if (other && other.attribute !== keys.sort)
    throw validationError(
      keys.sort === undefined
        ? 'Query key condition not supported'
        : `Query condition missed key schema element: ${keys.sort}`,
    );
  if (partition.operator !== '=') throw validationError('Query key condition not supported');
  for (const part of parts) checkValues(part, types[part.attribute]!);
  // A partition key of any length may be asked for: nothing is found.
  for (const value of other?.values ?? []) checkKeySize(value, false);
  return { value: partitionText(partition.values[0]!), range: other ? rangeOf(other) : everything };
}

function partsOf(condition: Condition): Part[] {
  switch (condition.kind) {
    case 'and':
      return [...partsOf(condition.left), ...partsOf(condition.right)];
    case 'comparison':
      return [comparisonPart(condition.operator, condition.left, condition.right)];
    case 'between':
      return [
        {
          attribute: attributeOf('BETWEEN', condition.operand),
          operator: 'BETWEEN',
          values: [valueOfOperand(condition.low), valueOfOperand(condition.high)],
        },
      ];
    case 'test': {
      const { name, args } = condition.call;
      if (name !== 'begins_with') throw unsupportedOperator(name);
      return [{ attribute: attributeOf(name, args[0]!), operator: name, values: [valueOfOperand(args[1]!)] }];
    }
    default:
      throw unsupportedOperator(condition.kind.toUpperCase());
  }
}

const mirrored = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

function comparisonPart(operator: ComparisonOperator, left: Operand, right: Operand): Part {
  if (operator === '<>') throw unsupportedOperator(operator);
  if (left.kind === 'value' && right.kind === 'path')
    return { attribute: attributeOf(operator, right), operator: mirrored[operator], values: [left.value] };
  return { attribute: attributeOf(operator, left), operator, values: [valueOfOperand(right)] };
}

function attributeOf(operator: string, operand: Operand): string {
  if (operand.kind === 'call') throw validationError('KeyConditionExpressions cannot contain nested operations');
  if (operand.kind !== 'path')
    throw validationError(
      `Invalid condition in KeyConditionExpression: ${operator} operator must have the key attribute as its first operand`,
    );
  if (operand.path.length > 1)
    throw validationError(
      `Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: ${operand.path[0]}`,
    );
  return String(operand.path[0]);
}

function valueOfOperand(operand: Operand): AttributeValue {
  if (operand.kind === 'value') return operand.value;
  throw validationError('Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition');
}

function unsupportedOperator(operator: string) {
  return validationError(`Invalid operator used in KeyConditionExpression: ${operator}`);
}

function checkValues(part: Part, type: KeyType): void {
  for (const value of part.values) {
    if (typeOf(value) !== type || (part.operator === 'begins_with' && type === 'N'))
      throw invalidValue('Condition parameter type does not match schema type');
    if (value.S === '' || value.B === '')
      throw validationError(
        `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty ${value.S === '' ? 'string' : 'binary'} value. Key: ${part.attribute}`,
      );
  }
}

function rangeOf({ operator, values }: Part): SortRange {
  const value = sortText(values[0]!);
  switch (operator) {
    case '=':
      return { below: (sort) => sort < value, above: (sort) => sort > value };
    case '<':
      return { below: () => false, above: (sort) => sort >= value };
    case '<=':
      return { below: () => false, above: (sort) => sort > value };
    case '>':
      return { below: (sort) => sort <= value, above: () => false };
    case '>=':
      return { below: (sort) => sort < value, above: () => false };
    case 'BETWEEN': {
      const high = sortText(values[1]!);
      return { below: (sort) => sort < value, above: (sort) => sort > high };
    }
    case 'begins_with':
      return { below: (sort) => sort < value, above: (sort) => sort > value && !sort.startsWith(value) };
    default:
      return operator satisfies never;
  }
}
