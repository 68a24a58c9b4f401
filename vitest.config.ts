import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';

// Workers, functions' threads and the processes of a local stack compile each module once for all runs.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '.rouse', 'compile-cache');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // npm run test:localstack and npm run test:grants run them.
    exclude: [...configDefaults.exclude, 'test/deployed/**', 'test/grants/**'],
    globalSetup: ['test/support/synth.ts'],
    reporters: ['default', 'test/support/backend-report.ts'],
    testTimeout: 30_000,
    // Loading the SDK, the CDK and our own modules anew for each file took as long as half of the tests: no test may
    // depend on what another file has left in a module.
    isolate: false,
    // Node runs TypeScript itself, as the functions' own code: no transformation, and imports at their native speed.
    experimental: { viteModuleRunner: false },
    // Real processes share two cores there: what is late once by chance is late twice only by a fault.
    retry: process.env.CI ? 1 : 0,
    // Two cores: more would only wait for each other.
    maxWorkers: 2,
  },
});
