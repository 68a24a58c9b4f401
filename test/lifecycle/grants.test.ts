import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { CloudAssembly } from '../../local/deploy/assembly.ts';
import { synthesizeWithKey } from '../grants/assembly.ts';
import { startStack, useCases } from '../grants/use-cases.ts';
import type { InProcessStack } from '../support/in-process-stack.ts';

let assembly: CloudAssembly;
let stack: InProcessStack;
/** Grants of all stacks, which have the same names, and whether one of them needed it. */
const needed = new Map<string, boolean>();
const refused: string[] = [];

beforeAll(() => {
  assembly = synthesizeWithKey();
}, 60_000);

beforeEach(async () => {
  stack = await startStack(assembly);
});

afterEach(async () => {
  for (const { role, action, resource, condition, uses } of stack.aws.iam.grants()) {
    const [, via] = /"kms:ViaService":"(\w+)/.exec(condition) ?? [];
    const grant = `${short(role)} ${action} ${via === undefined ? short(resource) : `via ${via}`}`;
    needed.set(grant, uses > 0 || needed.get(grant) === true);
  }
  refused.push(...stack.aws.iam.refusals);
  await stack.close();
  vi.useRealTimers();
});

/** `Rouse-FunctionsApiRole5DCB2F37-…` → `FunctionsApiRole`; resources likewise by the logical id that they contain. */
const short = (name: string) =>
  /Rouse-(\w+?)[0-9A-F]{8}-/.exec(name)?.[1] ?? /^arn:aws:s3:::[^/]+\/(\w+)\//.exec(name)?.[1] ?? name;

test.each(useCases)('$name', ({ run }) => run());

test('nothing was refused, not even where nobody noticed', () => {
  expect(refused).toEqual([]);
});

/** Grants that no use case here needs, each with what does. */
const reserved: Record<string, string> = {
  'SchedulesUserRole sqs:SendMessage MessagingDeadLetters': 'what such a schedule could not deliver',
};

test('every grant was needed', () => {
  const unneeded = [...needed].flatMap(([grant, isNeeded]) => (isNeeded ? [] : [grant]));
  expect(unneeded.sort()).toEqual(Object.keys(reserved).sort());
});
