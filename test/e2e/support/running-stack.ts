import type { TestProject } from 'vitest/node';
import { startStack } from '../../../local/start/stack.ts';

/** A local stack as a test reaches it: by its addresses. */
export interface RunningStack {
  apiUrl: string;
  apiKey: string;
  awsEndpointUrl: string;
  bucket: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The local stack of all end-to-end tests. */
    stack: RunningStack;
  }
}

/** Starts one local stack for all end-to-end tests, as `npm start` does: most of their time went into one for each file. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { apiUrl, apiKey, awsEndpointUrl, aws, stop } = await startStack({ port: 0 });
  project.provide('stack', { apiUrl, apiKey, awsEndpointUrl, bucket: aws.deployment!.outputs.Bucket! });
  return stop;
}
