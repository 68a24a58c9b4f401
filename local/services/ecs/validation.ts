import { AwsError, refuseUnknownParameters } from '../../errors.ts';

export type Input = Record<string, unknown>;

export function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}

export function clientError(message: string): AwsError {
  return new AwsError('ClientException', message);
}

export function known(operation: string, input: Input, names: readonly string[]): void {
  refuseUnknownParameters('ECS', operation, input, names);
}

export function text(input: Input, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalid(`${name} must be a string, received ${JSON.stringify(value)}.`);
  return value;
}

export function list<T>(input: Input, name: string): T[] {
  const value = input[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`${name} must be a list, received ${JSON.stringify(value)}.`);
  return value as T[];
}

const gib = (...sizes: number[]) => sizes.map((size) => size * 1024);
const range = (from: number, to: number, step = 1) =>
  gib(...Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step));

/** Memory sizes (MiB) that Fargate has for each CPU size (units). */
const fargateMemory: Readonly<Record<string, readonly number[]>> = {
  256: gib(0.5, 1, 2),
  512: range(1, 4),
  1024: range(2, 8),
  2048: range(4, 16),
  4096: range(8, 30),
  8192: range(16, 60, 4),
  16384: range(32, 120, 8),
};

/** @throws AwsError unless Fargate has this size. */
export function validateFargateSize(cpu: string | undefined, memory: string | undefined): void {
  if (cpu === undefined) throw clientError("Fargate requires that 'cpu' be defined at the task level.");
  if (memory === undefined) throw clientError("Fargate requires that 'memory' be defined at the task level.");
  if (!fargateMemory[cpu]?.includes(Number(memory)))
    throw clientError(`No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory.`);
}

/** @throws AwsError for tags that ECS refuses. */
export function validateTags(tags: { key?: unknown; value?: unknown }[]): void {
  if (tags.length > 50) throw invalid('Tags can not have more than 50 elements.');
  for (const { key, value } of tags) {
    if (typeof key !== 'string' || key.length < 1 || key.length > 128)
      throw invalid('Tag key must have 1 to 128 characters.');
    if (typeof value === 'string' && value.length > 256) throw invalid('Tag value must have at most 256 characters.');
    if (key.toLowerCase().startsWith('aws:')) throw invalid(`Tag keys starting with aws: are reserved: ${key}.`);
  }
}
