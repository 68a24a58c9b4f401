import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { InProcessStack } from '../support/in-process-stack.ts';
import { synthesizeWithKey } from './assembly.ts';
import { named, statementsOf, without } from './statements.ts';
import { startStack, type UseCase, useCases } from './use-cases.ts';

/** Each statement is removed in turn: the deploy or one of the use cases that used it must notice. */

const assembly = named(synthesizeWithKey());

/** Statements whose absence nothing here can notice, each with the reason. */
const unnoticeable: Record<string, string> = {
  'StateBucketPolicy6798C105 1: s3:*': 'it denies what comes without TLS, and every call here counts as one with it',
};

const deploy: UseCase = { name: 'the deploy', run: async () => {} };
/** The use cases that used a statement, the fastest first. */
const users = new Map<string, UseCase[]>();

beforeAll(async () => {
  const surveys: { useCase: UseCase; durationMs: number; used: Set<string> }[] = [];
  for (const useCase of [deploy, ...useCases]) {
    const start = performance.now();
    const stack = await startStack(assembly);
    await useCase.run();
    surveys.push({ useCase, durationMs: performance.now() - start, used: stack.aws.iam.usedStatements() });
    await stack.close();
    vi.useRealTimers();
  }
  surveys.sort((a, b) => a.durationMs - b.durationMs);
  for (const sid of statementsOf(assembly)) {
    const using = surveys.filter(({ used }) => used.has(sid));
    users.set(
      sid,
      using.map(({ useCase }) => useCase),
    );
  }
}, 120_000);

afterEach(() => {
  vi.useRealTimers();
});

test.each(statementsOf(assembly).filter((sid) => !(sid in unnoticeable)))('%s', async (sid) => {
  const using = users.get(sid) ?? [];
  for (const useCase of using) if (await notices(useCase, sid)) return;
  expect.fail(
    using.length === 0
      ? 'No use case used it.'
      : `Nothing was refused without it in what used it: ${using.map(({ name }) => name).join('; ')}.`,
  );
});

/** Whether a use case fails, or is refused something, without a statement. */
async function notices(useCase: UseCase, sid: string): Promise<boolean> {
  let stack: InProcessStack | undefined;
  try {
    stack = await startStack(without(assembly, sid));
    await useCase.run();
  } catch {
    return true;
  } finally {
    await stack?.aws.close();
  }
  return stack.aws.iam.refusals.length > 0;
}

test('only statements that are there are left out', () => {
  expect(statementsOf(assembly)).toEqual(expect.arrayContaining(Object.keys(unnoticeable)));
});
