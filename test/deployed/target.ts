/** What runs the suite's AWS. */
export type BackendName = 'embedded AWS' | 'MiniStack' | 'LocalStack' | 'AWS Emulator' | 'AWS';

/** A deployed Rouse, as the suite finds it. */
export interface Target {
  backend: BackendName;
  /** As the server says it; undefined where it does not. */
  version: string | undefined;
  apiUrl: string;
  apiKey: string;
  /** Where AWS is reached; undefined for AWS itself. */
  endpointUrl: string | undefined;
  region: string;
  accountId: string;
  /** Name of the cluster, the tables and the bucket: the stack's outputs. */
  outputs: Record<string, string>;
  /** Prefix of everything that is named at run time. */
  prefix: string;
  /** How long a state may take to come, containers' starts included. */
  patienceMs: number;
}

const variable = 'ROUSE_DEPLOYED_TARGET';

/** The variable by which the suite's process gets its target. */
export function targetVariable(target: Target): Record<string, string> {
  return { [variable]: JSON.stringify(target) };
}

/** @throws Error when the suite was not started by `npm run test:localstack` */
export function readTarget(): Target {
  const text = process.env[variable];
  if (!text) throw new Error('These tests need a deployed stack: run them by npm run test:localstack.');
  return JSON.parse(text) as Target;
}
