import { homedir } from 'node:os';
import { resolve } from 'node:path';

/** What launch (or the local mode) tells the shim by environment variables; nothing in it is secret. */
export interface Environment {
  /** Origin of the HTTP API, without a slash at the end. */
  apiUrl: string;
  tenant: string;
  /** Undefined for a standby, which learns it when an agent takes it over. */
  agentId: string | undefined;
  runtimeId: string;
  region: string;
  /** Set where AWS is not AWS: the local mode and LocalStack-compatible servers. */
  endpointUrl: string | undefined;
  /** Absolute path of the workspace folder. */
  workspace: string;
  /** Where the process groups of tasks are noted, one id a line, for whoever must kill them after the shim. */
  pidsFile: string | undefined;
  /** Folder that the path of a `module` driver is relative to. */
  moduleRoot: string;
  metadataUrl: string | undefined;
}

/** Throws one error that names every variable that is missing or wrong. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const problems: string[] = [];
  const need = (name: string) => {
    const value = env[name];
    if (!value) problems.push(`${name} is not set`);
    return value ?? '';
  };
  const environment: Environment = {
    apiUrl: need('ROUSE_API_URL').replace(/\/+$/, ''),
    tenant: need('ROUSE_TENANT'),
    agentId: env.ROUSE_AGENT_ID || undefined,
    runtimeId: need('ROUSE_RUNTIME_ID'),
    region: need('AWS_REGION'),
    endpointUrl: env.AWS_ENDPOINT_URL || undefined,
    workspace: resolve(env.ROUSE_WORKSPACE || '/workspace'),
    pidsFile: env.ROUSE_PIDS_FILE || undefined,
    moduleRoot: resolve(env.ROUSE_MODULE_ROOT || '.'),
    metadataUrl: env.ECS_CONTAINER_METADATA_URI_V4 || undefined,
  };
  if (environment.apiUrl && !URL.canParse(environment.apiUrl)) {
    problems.push(`ROUSE_API_URL is "${environment.apiUrl}", which is not a URL`);
  }
  // Restoring a generation empties the workspace folder first.
  if (environment.workspace === '/' || environment.workspace === homedir()) {
    problems.push(`ROUSE_WORKSPACE is "${environment.workspace}", but the workspace must be a folder of its own`);
  }
  if (problems.length > 0) throw new Error(`The shim cannot start: ${problems.join('; ')}.`);
  return environment;
}
