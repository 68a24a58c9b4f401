import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    // What needs another backend to compare with is called .remote.ts.
    include: ['*.test.ts', '*.remote.ts'],
    isolate: false,
    // As in ../../vitest.config.ts: what is late once by chance is late twice only by a fault.
    retry: process.env.CI ? 1 : 0,
    maxWorkers: 2,
  },
});
