import { valueAt } from './document.ts';
import { valueSize } from './size.ts';
import type { ComparisonOperator, Condition, FunctionCall, Operand } from './syntax.ts';
import { type AttributeValue, bytesOf, compareValues, equalValues, type Item, typeOf } from './value.ts';

/** Whether an item fulfils a condition. A row that doesn't exist is an empty item. */
export function holds(condition: Condition, item: Item): boolean {
  switch (condition.kind) {
    case 'and':
      return holds(condition.left, item) && holds(condition.right, item);
    case 'or':
      return holds(condition.left, item) || holds(condition.right, item);
    case 'not':
      return !holds(condition.inner, item);
    case 'test':
      return test(condition.call, item);
    case 'comparison':
      return compare(condition.operator, operandValue(condition.left, item), operandValue(condition.right, item));
    case 'between': {
      const value = operandValue(condition.operand, item);
      return (
        compare('>=', value, operandValue(condition.low, item)) &&
        compare('<=', value, operandValue(condition.high, item))
      );
    }
    case 'in': {
      const value = operandValue(condition.operand, item);
      return condition.list.some((element) => compare('=', value, operandValue(element, item)));
    }
    default:
      return condition satisfies never;
  }
}

function operandValue(operand: Operand, item: Item): AttributeValue | undefined {
  if (operand.kind === 'value') return operand.value;
  if (operand.kind === 'path') return valueAt(item, operand.path);
  // Binding lets no other function through.
  if (operand.kind === 'call') return sizeOf(operandValue(operand.args[0]!, item));
  throw new Error('A condition has no arithmetic.');
}

/** The result of `size(…)`: UTF-16 units of a string, bytes of a binary, elements of anything that has elements. */
function sizeOf(value: AttributeValue | undefined): AttributeValue | undefined {
  if (!value) return undefined;
  if (value.S !== undefined) return { N: String(value.S.length) };
  if (value.B !== undefined) return { N: String(valueSize(value)) };
  const elements = value.L ?? value.SS ?? value.NS ?? value.BS ?? (value.M && Object.keys(value.M));
  return elements && { N: String(elements.length) };
}

function compare(
  operator: ComparisonOperator,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  if (operator === '<>') return !compare('=', left, right);
  if (!left || !right) return false;
  if (operator === '=') return equalValues(left, right);
  const order = compareValues(left, right);
  if (order === undefined) return false;
  if (operator === '<') return order < 0;
  if (operator === '<=') return order <= 0;
  return operator === '>' ? order > 0 : order >= 0;
}

function test({ name, args }: FunctionCall, item: Item): boolean {
  const value = operandValue(args[0]!, item);
  if (name === 'attribute_exists') return value !== undefined;
  if (name === 'attribute_not_exists') return value === undefined;
  const operand = operandValue(args[1]!, item);
  if (!value || !operand) return false;
  if (name === 'attribute_type') return typeOf(value) === operand.S;
  return name === 'begins_with' ? beginsWith(value, operand) : contains(value, operand);
}

export function beginsWith(value: AttributeValue, prefix: AttributeValue): boolean {
  if (value.S !== undefined && prefix.S !== undefined) return value.S.startsWith(prefix.S);
  if (value.B !== undefined && prefix.B !== undefined) return bytesOf(value.B).startsWith(bytesOf(prefix.B));
  return false;
}

function contains(value: AttributeValue, operand: AttributeValue): boolean {
  if (value.L) return value.L.some((element) => equalValues(element, operand));
  if (operand.S !== undefined) return value.S?.includes(operand.S) ?? value.SS?.includes(operand.S) ?? false;
  if (operand.N !== undefined) return value.NS?.includes(operand.N) ?? false;
  if (operand.B === undefined) return false;
  if (value.B !== undefined) return bytesOf(value.B).includes(bytesOf(operand.B));
  return value.BS?.includes(operand.B) ?? false;
}
