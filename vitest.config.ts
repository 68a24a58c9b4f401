import { configDefaults, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need a deployed stack: npm run test:localstack.
    exclude: [...configDefaults.exclude, 'test/deployed/**'],
    globalSetup: ['test/support/synth.ts'],
    testTimeout: 30_000,
    // Real processes share two cores there: what is late once by chance is late twice only by a fault.
    retry: process.env.CI ? 1 : 0,
    // Two cores: more would only wait for each other.
    maxWorkers: 2,
  },
});
