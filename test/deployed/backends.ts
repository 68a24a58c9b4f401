import type { BackendName } from './target.ts';

/** What the run was asked to use, before anything is deployed. */
export interface Backend {
  name: BackendName;
  version: string | undefined;
  /** Undefined for AWS itself. */
  endpointUrl: string | undefined;
}

const defaultEndpointUrl = 'http://localhost:4566';
const answerLimitMs = 5_000;

/**
 * ROUSE_E2E_AWS=1 is AWS itself, ROUSE_E2E_EMBEDDED=1 the embedded AWS, and otherwise it is what answers at
 * AWS_ENDPOINT_URL. @throws Error with a sentence that says what to start
 */
export async function chooseBackend(env: NodeJS.ProcessEnv): Promise<Backend> {
  if (env.ROUSE_E2E_EMBEDDED === '1') return { name: 'embedded AWS', version: undefined, endpointUrl: undefined };
  if (env.ROUSE_E2E_AWS === '1') {
    if (env.AWS_ENDPOINT_URL)
      throw new Error(`ROUSE_E2E_AWS=1 means AWS itself, but AWS_ENDPOINT_URL is ${env.AWS_ENDPOINT_URL}. Unset one.`);
    return { name: 'AWS', version: undefined, endpointUrl: undefined };
  }
  const endpointUrl = (env.AWS_ENDPOINT_URL || defaultEndpointUrl).replace(/\/+$/, '');
  const miniStack = await ask(`${endpointUrl}/_ministack/health`);
  if (miniStack?.edition) return { name: 'MiniStack', version: miniStack.version, endpointUrl };
  const localStack = await ask(`${endpointUrl}/_localstack/health`);
  if (localStack?.edition) return { name: 'LocalStack', version: localStack.version, endpointUrl };
  if (miniStack === undefined && localStack === undefined)
    throw new Error(
      `Nothing answers at ${endpointUrl}. Start MiniStack by npm run localstack:up, or set AWS_ENDPOINT_URL to another LocalStack-compatible server.`,
    );
  // It knows neither path, and asks for a signature.
  return { name: 'AWS Emulator', version: undefined, endpointUrl };
}

interface Health {
  edition?: string;
  version?: string;
}

/** Undefined when nothing answers. */
async function ask(url: string): Promise<Health | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    return (await answer.json().catch(() => ({}))) as Health;
  } catch {
    return undefined;
  }
}
