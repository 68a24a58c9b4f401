import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { synthesize } from '../../local/start/synth.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the synthesized cloud assembly. */
    assembly: string;
  }
}

/** Synthesizes the CDK app once for all tests, or finds what an earlier run or start left in the cache. */
export default async function setup(project: TestProject): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { folder } = await synthesize(root);
  project.provide('assembly', folder);
}
