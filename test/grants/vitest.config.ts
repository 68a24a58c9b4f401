import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['*.test.ts'],
    globalSetup: ['../support/synth.ts'],
    reporters: ['verbose'],
    testTimeout: 30_000,
    // What runs in the background fails too, when it misses a grant.
    onUnhandledError: () => false,
  },
});
