import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

// Workers, functions' threads and the processes of a local stack compile each module once for all runs.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '.rouse', 'compile-cache');

const endToEnd = 'test/e2e/**/*.test.ts';
// Each has a command of its own: npm run test:localstack, test:grants, test:simulation, test:local-mode.
const own = ['deployed', 'grants', 'simulation', 'local-mode'];
const elsewhere = [...configDefaults.exclude, ...own.map((folder) => `test/${folder}/**`)];

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'e2e', include: [endToEnd], globalSetup: ['test/e2e/support/running-stack.ts'] } },
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: [...elsewhere, endToEnd],
          globalSetup: ['test/support/synth.ts'],
        },
      },
    ],
    reporters: ['default', 'test/support/backend-report.ts'],
    testTimeout: 30_000,
    // What a process does is looked for until it is there, not for a second.
    expect: { poll: { timeout: 20_000 } },
    // Loading the SDK, the CDK and our own modules anew for each file took as long as half of the tests: no test may
    // depend on what another file has left in a module.
    isolate: false,
    // Node runs TypeScript itself, as the functions' own code: no transformation, and imports at their native speed.
    experimental: { viteModuleRunner: false },
    // Real processes share two cores there: what is late once by chance is late twice only by a fault.
    retry: process.env.CI ? 1 : 0,
    sequence: { sequencer: LongestFirst },
    // One more than the cores there: what waits for a process leaves its core to the others.
    maxWorkers: 3,
  },
});
