import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['suite/*.test.ts'],
    reporters: ['default', fileURLToPath(new URL('../support/backend-report.ts', import.meta.url))],
    setupFiles: ['fargate/loopback-names.mjs', 'suite/left-out.ts'],
    // A container's start, a lost one's replacement and its task: see README, Published bounds.
    testTimeout: 400_000,
    hookTimeout: 120_000,
    // As in ../../vitest.config.ts: what is late once by chance is late twice only by a fault.
    retry: process.env.CI ? 1 : 0,
    maxWorkers: 2,
  },
});
