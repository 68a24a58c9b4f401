/** Checks of ExpressionAttributeNames and ExpressionAttributeValues. */
import { serializationError, validationError } from './errors.ts';
import { type AttributeValue, normaliseValue } from './value.ts';

export function checkedNames(names: Record<string, string>): Record<string, string> {
  if (Object.keys(names).length === 0) throw validationError('ExpressionAttributeNames must not be empty');
  for (const [placeholder, name] of Object.entries(names)) {
    if (!/^#[A-Za-z0-9_]+$/.test(placeholder))
      throw validationError(`ExpressionAttributeNames contains invalid key: Syntax error; key: "${placeholder}"`);
    if (typeof name !== 'string') throw serializationError('ExpressionAttributeNames must map strings to strings');
    if (name === '')
      throw validationError(
        `ExpressionAttributeNames contains invalid value: Empty attribute name for key ${placeholder}`,
      );
  }
  return names;
}

export function checkedValues(values: Record<string, unknown>): Record<string, AttributeValue> {
  if (Object.keys(values).length === 0) throw validationError('ExpressionAttributeValues must not be empty');
  for (const [placeholder, value] of Object.entries(values)) {
    if (!/^:[A-Za-z0-9_]+$/.test(placeholder))
      throw validationError(`ExpressionAttributeValues contains invalid key: Syntax error; key: "${placeholder}"`);
    checkValue(placeholder, value);
  }
  return values as Record<string, AttributeValue>;
}

function checkValue(placeholder: string, value: unknown): void {
  try {
    normaliseValue(value);
  } catch (error) {
    const isValidation = error instanceof Error && error.name === 'ValidationException';
    if (!isValidation) throw error;
    throw validationError(`ExpressionAttributeValues contains invalid value: ${error.message} for key ${placeholder}`);
  }
}

export function refuseUnused(parameter: string, given: Record<string, unknown> | undefined, used: Set<string>): void {
  const unused = Object.keys(given ?? {}).filter((key) => !used.has(key));
  if (unused.length > 0)
    throw validationError(`Value provided in ${parameter} unused in expressions: keys: {${unused.join(', ')}}`);
}
