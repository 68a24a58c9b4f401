import { valueAt, withoutValueAt, withValueAt } from './document.ts';
import { validationError } from './errors.ts';
import { addNumbers, subtractNumbers } from './number.ts';
import type { FunctionCall, Operand, Path, UpdateAction } from './syntax.ts';
import type { AttributeValue, Item } from './value.ts';

/**
 * The item after an update expression. All operands see the item as it was.
 * @throws ValidationException when an operand is missing or of the wrong type, or a path leads nowhere
 */
export function updated(item: Item, actions: readonly UpdateAction[]): Item {
  const values = actions.map((action) => newValue(action, item));
  let result = item;
  // Indexes that append do so in their order; removals go backwards, so that an index means what it meant at first.
  const inOrder = [...actions.keys()].sort((one, two) => comparePaths(actions[one]!.path, actions[two]!.path));
  for (const index of inOrder) {
    const value = values[index];
    if (value) result = withValueAt(result, actions[index]!.path, value);
  }
  for (const index of inOrder.reverse()) {
    if (!values[index]) result = withoutValueAt(result, actions[index]!.path);
  }
  return result;
}

/** What the action puts at its path, or undefined when it leaves nothing there: REMOVE, and DELETE of all elements. */
function newValue(action: UpdateAction, item: Item): AttributeValue | undefined {
  switch (action.kind) {
    case 'SET':
      return operandValue(action.operand, item);
    case 'REMOVE':
      return undefined;
    case 'ADD':
      return added(valueAt(item, action.path), action.value);
    case 'DELETE':
      return subtracted(valueAt(item, action.path), action.value);
    default:
      return action satisfies never;
  }
}

function operandValue(operand: Operand, item: Item): AttributeValue {
  switch (operand.kind) {
    case 'value':
      return operand.value;
    case 'path': {
      const value = valueAt(item, operand.path);
      if (value) return value;
      throw validationError('The provided expression refers to an attribute that does not exist in the item');
    }
    case 'arithmetic': {
      const [left, right] = [operandValue(operand.left, item), operandValue(operand.right, item)];
      if (left.N === undefined || right.N === undefined) throw wrongType();
      return { N: operand.operator === '+' ? addNumbers(left.N, right.N) : subtractNumbers(left.N, right.N) };
    }
    case 'call':
      return callValue(operand, item);
    default:
      return operand satisfies never;
  }
}

function callValue({ name, args }: FunctionCall, item: Item): AttributeValue {
  const [first, second] = [args[0]!, args[1]!];
  if (name === 'if_not_exists') {
    const existing = first.kind === 'path' ? valueAt(item, first.path) : undefined;
    return existing ?? operandValue(second, item);
  }
  const [left, right] = [operandValue(first, item), operandValue(second, item)];
  if (!left.L || !right.L) throw wrongType();
  return { L: [...left.L, ...right.L] };
}

function added(existing: AttributeValue | undefined, operand: AttributeValue): AttributeValue {
  if (!existing) return operand;
  if (operand.N !== undefined && existing.N !== undefined) return { N: addNumbers(existing.N, operand.N) };
  if (operand.SS && existing.SS) return { SS: union(existing.SS, operand.SS) };
  if (operand.NS && existing.NS) return { NS: union(existing.NS, operand.NS) };
  if (operand.BS && existing.BS) return { BS: union(existing.BS, operand.BS) };
  throw wrongType();
}

function subtracted(existing: AttributeValue | undefined, operand: AttributeValue): AttributeValue | undefined {
  if (!existing) return undefined;
  if (operand.SS && existing.SS) return rest('SS', existing.SS, operand.SS);
  if (operand.NS && existing.NS) return rest('NS', existing.NS, operand.NS);
  if (operand.BS && existing.BS) return rest('BS', existing.BS, operand.BS);
  throw wrongType();
}

function union(existing: string[], operand: string[]): string[] {
  return [...new Set([...existing, ...operand])];
}

function rest(type: 'SS' | 'NS' | 'BS', existing: string[], operand: string[]): AttributeValue | undefined {
  const elements = existing.filter((element) => !operand.includes(element));
  return elements.length > 0 ? { [type]: elements } : undefined;
}

function comparePaths(one: Path, two: Path): number {
  for (let at = 0; at < Math.min(one.length, two.length); at += 1) {
    const [a, b] = [one[at]!, two[at]!];
    if (a === b) continue;
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    return String(a) < String(b) ? -1 : 1;
  }
  return one.length - two.length;
}

function wrongType() {
  return validationError('An operand in the update expression has an incorrect data type');
}
