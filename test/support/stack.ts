import { inject } from 'vitest';
import { InProcessStack, type StackOptions } from './in-process-stack.ts';

export type { FunctionCall } from './in-process-stack.ts';

/** The stack of a test; its template is synthesized once for the whole run. */
export type TestStack = InProcessStack;
export const TestStack = {
  start: (options?: StackOptions): Promise<TestStack> => InProcessStack.start(inject('assembly'), options),
};
