import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['suite/*.test.ts'],
    setupFiles: ['fargate/loopback-names.mjs'],
    // A container's start, a lost one's replacement and its task: see README, Published bounds.
    testTimeout: 400_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
