import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** What `npm start` and the examples do, with whole servers. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['*.test.ts'],
    globalSetup: ['../e2e/support/running-stack.ts'],
    testTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    experimental: { viteModuleRunner: false },
    // As in npm test: real processes share two cores there.
    retry: process.env.CI ? 1 : 0,
  },
});
