/**
 * `npm run test:localstack`: deploys Rouse by the real CDK CLI to what answers at AWS_ENDPOINT_URL, runs the suite
 * through the deployed API, and destroys the stack. ROUSE_E2E_AWS=1 is the same on AWS itself, ROUSE_E2E_EMBEDDED=1 on
 * the embedded AWS.
 *
 * What the server does otherwise than AWS must be what `docs/compatibility.md` says; --write-table writes it there. All
 * other arguments go to vitest.
 */
import './fargate/loopback-names.mjs';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kebabCase } from '../../cdk/rouse-stack.ts';
import { startStack } from '../../local/start/stack.ts';
import { type Backend, chooseBackend } from './backends.ts';
import { type Clients, makeClients } from './clients.ts';
import { findingsVariable, readFindings } from './compatibility/record.ts';
import { checkTable, writeTable } from './compatibility/table.ts';
import { CdkStack, standInImage } from './deployment.ts';
import { startsContainers } from './fargate/detection.ts';
import { FargateStandIn } from './fargate/stand-in.ts';
import { checkRemoved, removeLeftovers } from './leftovers.ts';
import { type DockerServer, dockerServers, missingFor } from './servers/docker.ts';
import { type Target, targetVariable } from './target.ts';

const write = process.argv.includes('--write-table');
const vitestArguments = process.argv.slice(2).filter((argument) => argument !== '--write-table');
const here = fileURLToPath(new URL('.', import.meta.url));
const region = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || 'us-east-1';
/** A state may have to wait for three minutes until a silent crash is noticed; on AWS a container starts in one. */
const patienceMs = 300_000;

let suite: ChildProcess | undefined;

/** A signal ends the suite; what was deployed and started is removed all the same. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    console.log(`${signal}: ending. What was deployed is removed first.`);
    suite?.kill('SIGTERM');
  });

async function main(): Promise<boolean> {
  const backend = await chooseBackend(process.env);
  console.log(`Backend: ${[backend.name, backend.version].filter(Boolean).join(' ')}`);
  for (const server of Object.keys(dockerServers) as DockerServer[]) tellOf(server, backend);
  return backend.name === 'embedded AWS' ? onEmbeddedAws() : onServer(backend);
}

/** One line about a server that this run does not use. */
function tellOf(server: DockerServer, { name }: Backend): void {
  const { title } = dockerServers[server];
  if (title === name) return;
  const missing = missingFor(server);
  console.log(
    missing
      ? `${title} can not be tested here: it needs ${missing}.`
      : `${title} can be tested as well: npm run localstack:up -- --server ${server}`,
  );
}

async function onEmbeddedAws(): Promise<boolean> {
  const stack = await startStack({ port: 0, print: console.log });
  const outputs = stack.aws.deployment!.outputs;
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' });
  try {
    return await runSuite({
      backend: 'embedded AWS',
      version: undefined,
      apiUrl: stack.apiUrl,
      apiKey: stack.apiKey,
      endpointUrl: stack.awsEndpointUrl,
      region: stack.aws.region,
      accountId: '000000000000',
      outputs,
      prefix: outputs.AdminKeyParameter!.split('/')[1]!,
      patienceMs,
    });
  } finally {
    await stack.stop();
  }
}

async function onServer(backend: Backend): Promise<boolean> {
  const { endpointUrl, name, version } = backend;
  if (endpointUrl) {
    process.env.AWS_ENDPOINT_URL = endpointUrl;
    process.env.AWS_ACCESS_KEY_ID ||= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ||= 'test';
  }
  const clients = makeClients({ endpointUrl, region });
  const stackName = `RouseE2e${Date.now().toString(36)}`;
  const usesStandIn = name !== 'AWS' && !(await startsContainers(clients.ecs));
  const stack = new CdkStack({ stackName, region, clients, usesStandIn, print: console.log });
  let standIn: FargateStandIn | undefined;
  let target: Target | undefined;
  try {
    const { apiKey, accountId, outputs } = await stack.deploy();
    const apiUrl = outputs.ApiUrl!;
    const prefix = kebabCase(stackName);
    target = { backend: name, version, apiUrl, apiKey, endpointUrl, region, accountId, outputs, prefix, patienceMs };
    if (usesStandIn) standIn = await startStandIn(target, stack, clients);
    return await runSuite(target);
  } finally {
    try {
      if (target) await removeLeftovers(target, clients);
    } finally {
      await standIn?.close();
      await stack.destroy();
    }
    if (target) await checkRemoved(target, clients, stackName);
  }
}

function startStandIn({ endpointUrl, outputs }: Target, stack: CdkStack, clients: Clients): Promise<FargateStandIn> {
  return FargateStandIn.start({
    ...clients,
    cluster: outputs.Cluster!,
    image: standInImage,
    imageFolder: stack.imageFolder(),
    folder: join(stack.folder, 'containers'),
    variables: {
      AWS_ENDPOINT_URL: endpointUrl!,
      NODE_OPTIONS: `--import ${new URL('fargate/loopback-names.mjs', import.meta.url)}`,
    },
    region,
    log: process.env.ROUSE_LOG ? console.error : () => {},
  });
}

async function runSuite(target: Target): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-deployed-'));
  const findings = join(folder, 'findings');
  try {
    const passed = await vitest({ ...targetVariable(target), ...findingsVariable(findings) });
    // A part of the suite, or a failed one, finds too little.
    if (!passed || vitestArguments.some((argument) => !argument.startsWith('-'))) return passed;
    const found = readFindings(findings);
    if (write) writeTable(target, found);
    else checkTable(target, found);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function vitest(variables: Record<string, string>): Promise<boolean> {
  const program = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const args = [program, 'run', '--config', join(here, 'vitest.config.ts'), ...vitestArguments];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...variables }, stdio: 'inherit' });
  suite = child;
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}

main().then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
