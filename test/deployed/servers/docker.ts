import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const composeFile = fileURLToPath(new URL('compose.yaml', import.meta.url));
/** The first start pulls an image or builds one. */
const startLimitMs = 300_000;

/** Servers of `compose.yaml`. */
export const dockerServers = {
  localstack: { title: 'LocalStack', scheme: 'http', port: 4566, token: 'LOCALSTACK_AUTH_TOKEN' },
  'aws-emulator': { title: 'AWS Emulator', scheme: 'https', port: 9297, token: undefined },
} as const;

export type DockerServer = keyof typeof dockerServers;

/** What is missing to start a server here; undefined when nothing is. */
export function missingFor(server: DockerServer): string | undefined {
  const { token } = dockerServers[server];
  const missing = [];
  if (spawnSync('docker', ['info'], { timeout: 10_000 }).status !== 0)
    missing.push('a Docker engine (`docker info` does not answer)');
  if (token && !process.env[token]) missing.push(`an account's token in ${token}`);
  return missing.length > 0 ? missing.join(' and ') : undefined;
}

/** Starts a server in a container and returns when it answers. @returns the variables that lead to it */
export async function startContainer(server: DockerServer, port: number): Promise<Record<string, string>> {
  const { scheme, title } = dockerServers[server];
  const missing = missingFor(server);
  if (missing) throw new Error(`${title} can not be started here: it needs ${missing}.`);
  const certificates = join(homedir(), '.aws', 'emulator');
  // Docker would make it as root.
  if (server === 'aws-emulator') mkdirSync(certificates, { recursive: true });
  compose(['up', '--detach', '--build', server], port);
  const endpointUrl = `${scheme}://localhost:${port}`;
  const limitMs = Date.now() + startLimitMs;
  while (!(await answers(endpointUrl))) {
    if (Date.now() > limitMs) throw new Error(`${title} did not answer at ${endpointUrl} in time.`);
    await sleep(500);
  }
  return {
    AWS_ENDPOINT_URL: endpointUrl,
    ...(scheme === 'https' && {
      NODE_EXTRA_CA_CERTS: join(certificates, String(dockerServers[server].port), 'ca.pem'),
    }),
  };
}

/** A certificate that this process does not know yet is an answer as well. */
async function answers(endpointUrl: string): Promise<boolean> {
  try {
    await fetch(endpointUrl, { signal: AbortSignal.timeout(2000) });
    return true;
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    return /CERT/.test(code ?? '');
  }
}

export function stopContainer(server: DockerServer, port: number): void {
  compose(['rm', '--stop', '--force', server], port);
}

function compose(args: string[], port: number): void {
  const { status, stderr } = spawnSync('docker', ['compose', '--file', composeFile, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ROUSE_SERVER_PORT: String(port) },
  });
  if (status !== 0) throw new Error(`docker compose ${args.join(' ')} failed:\n${stderr.trim()}`);
}
