import { afterAll, beforeAll } from 'vitest';
import { type StartedStack, startStack } from '../../../local/start/stack.ts';
import { ApiClient } from './client.ts';

/** Starting is quick, but a busy machine is not. */
const startLimitMs = 60_000;

/**
 * For tests that measure time: what is late because the machine was busy gets another chance, what is late by itself is
 * late every time.
 */
export const timed = { retry: 2 } as const;

/** One local stack for all tests of a file, as `npm start` has it: filled in before the first of them, ended after the last. */
export function sharedStack(prepare: (stack: StartedStack, api: ApiClient) => Promise<void> | void): void {
  let stack: StartedStack | undefined;
  beforeAll(async () => {
    stack = await startStack({ port: 0 });
    await prepare(stack, new ApiClient(stack));
  }, startLimitMs);
  afterAll(() => stack?.stop(), startLimitMs);
}
