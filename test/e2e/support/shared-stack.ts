import { afterAll, beforeAll, inject } from 'vitest';
import { type StartedStack, startStack } from '../../../local/start/stack.ts';
import { ApiClient } from './client.ts';
import type { RunningStack } from './running-stack.ts';

/** Starting is quick, but a busy machine is not. */
const startLimitMs = 60_000;

/**
 * For tests that measure time: what is late because the machine was busy gets another chance, what is late by itself is
 * late every time.
 */
export const timed = { retry: 2 } as const;

/** The local stack that all files share: a file fills in what it needs before its first test, and leaves no agent behind. */
export function sharedStack(prepare: (api: ApiClient, stack: RunningStack) => Promise<void> | void): void {
  const stack = inject('stack');
  const api = new ApiClient(stack);
  beforeAll(() => prepare(api, stack), startLimitMs);
  afterAll(() => api.terminateAll(), startLimitMs);
}

/** A local stack of its own for a file that looks into it. */
export function ownStack(prepare: (api: ApiClient, stack: StartedStack) => Promise<void> | void): void {
  let stack: StartedStack | undefined;
  beforeAll(async () => {
    stack = await startStack({ port: 0 });
    await prepare(new ApiClient(stack), stack);
  }, startLimitMs);
  afterAll(() => stack?.stop(), startLimitMs);
}
