/** Checks requests against the shapes of the API: unknown members, kinds of values, constraints. */
import { notEmulated } from '../../errors.ts';
import { serializationError, validationError } from './errors.ts';

export type Shape =
  | { kind: 'string'; min?: number; max?: number; pattern?: string; values?: readonly string[] }
  | { kind: 'integer'; min?: number; max?: number }
  | { kind: 'boolean' }
  /** Checked where it is used. */
  | { kind: 'any' }
  | { kind: 'map'; of: Shape; min?: number; max?: number }
  | { kind: 'list'; of: Shape; min?: number; max?: number }
  | Structure;

export interface Structure {
  kind: 'structure';
  members: Record<string, Shape>;
  required: readonly string[];
}

export function structure(members: Record<string, Shape>, required: readonly string[] = []): Structure {
  return { kind: 'structure', members, required };
}

/**
 * @throws NotEmulated for an unknown member, SerializationException for the wrong kind of value,
 * ValidationException that lists every violated constraint
 */
export function checkShape(operation: string, shape: Structure, input: Record<string, unknown>): void {
  const violations: string[] = [];
  checkStructure(operation, shape, input, '', violations);
  if (violations.length === 0) return;
  const count = `${violations.length} validation error${violations.length > 1 ? 's' : ''} detected: `;
  throw validationError(count + violations.join('; '));
}

function checkStructure(
  operation: string,
  shape: Structure,
  input: Record<string, unknown>,
  path: string,
  violations: string[],
): void {
  for (const name in input) {
    if (input[name] !== undefined && !Object.hasOwn(shape.members, name))
      throw notEmulated('DynamoDB', `parameter ${path === '' ? '' : `${path}.`}${name} of ${operation}`);
  }
  const prefix = path === '' ? '' : `${path}.`;
  for (const name of shape.required) {
    if (input[name] === undefined || input[name] === null)
      violations.push(violation('null', `${prefix}${lowerFirst(name)}`, 'Member must not be null'));
  }
  for (const name in shape.members) {
    const value = input[name];
    if (value === null) delete input[name];
    else if (value !== undefined)
      check(operation, shape.members[name]!, value, `${prefix}${lowerFirst(name)}`, violations);
  }
}

function check(operation: string, shape: Shape, value: unknown, path: string, violations: string[]): void {
  switch (shape.kind) {
    case 'any':
      return;
    case 'string':
      if (typeof value !== 'string') throw wrongKind(value, 'String');
      checkString(shape, value, path, violations);
      return;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongKind(value, 'Integer');
      checkRange(shape, value, String(value), path, 'value', violations);
      return;
    case 'boolean':
      if (typeof value !== 'boolean') throw wrongKind(value, 'Boolean');
      return;
    case 'list':
      if (!Array.isArray(value)) throw wrongKind(value, 'List');
      checkRange(shape, value.length, shown(value), path, 'length', violations);
      value.forEach((element, index) => {
        check(operation, shape.of, element, `${path}.${index + 1}.member`, violations);
      });
      return;
    case 'map': {
      const members = asObject(value);
      const names = Object.keys(members);
      checkRange(shape, names.length, shown(value), path, 'length', violations);
      for (const name of names) check(operation, shape.of, members[name], `${path}.${name}.member`, violations);
      return;
    }
    case 'structure':
      checkStructure(operation, shape, asObject(value), path, violations);
      return;
    default:
      shape satisfies never;
  }
}

function checkString(
  shape: Extract<Shape, { kind: 'string' }>,
  value: string,
  path: string,
  violations: string[],
): void {
  if (shape.values && !shape.values.includes(value))
    violations.push(violation(`'${value}'`, path, `Member must satisfy enum value set: [${shape.values.join(', ')}]`));
  checkRange(shape, value.length, `'${value}'`, path, 'length', violations);
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(value))
    violations.push(violation(`'${value}'`, path, `Member must satisfy regular expression pattern: ${shape.pattern}`));
}

function checkRange(
  { min, max }: { min?: number; max?: number },
  measure: number,
  value: string,
  path: string,
  what: 'length' | 'value',
  violations: string[],
): void {
  const text = what === 'value' ? `'${value}'` : value;
  if (min !== undefined && measure < min)
    violations.push(violation(text, path, `Member must have ${what} greater than or equal to ${min}`));
  if (max !== undefined && measure > max)
    violations.push(violation(text, path, `Member must have ${what} less than or equal to ${max}`));
}

function violation(value: string, path: string, constraint: string): string {
  return `Value ${value} at '${path}' failed to satisfy constraint: ${constraint}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return `'${text.length > 200 ? `${text.slice(0, 200)}…` : text}'`;
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongKind(value, 'Map');
  return value as Record<string, unknown>;
}

function wrongKind(value: unknown, expected: string) {
  const kind = Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value;
  return serializationError(`A ${kind} can not be converted to ${expected}`);
}

function lowerFirst(name: string): string {
  return name[0]!.toLowerCase() + name.slice(1);
}
