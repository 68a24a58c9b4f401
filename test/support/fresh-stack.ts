import { afterEach, beforeEach } from 'vitest';
import { Client } from './client.ts';
import { TestStack } from './stack.ts';

/** Those of the test that runs. */
export let stack: TestStack;
export let client: Client;

/** Gives each test of a file a stack of its own, and does what all of them begin with. */
export function freshStack(setUp: () => Promise<unknown> = async () => {}): void {
  beforeEach(async () => {
    stack = await TestStack.start();
    client = new Client(stack);
    await setUp();
  });
  afterEach(() => stack.close());
}
