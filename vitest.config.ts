import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/synth.ts'],
    testTimeout: 30_000,
    // Two cores: more would only wait for each other.
    maxWorkers: 2,
  },
});
