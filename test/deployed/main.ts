/**
 * `npm run test:localstack`: deploys Rouse by the real CDK CLI to what answers at AWS_ENDPOINT_URL, runs the suite
 * through the deployed API, and destroys the stack. ROUSE_E2E_AWS=1 is the same on AWS itself, ROUSE_E2E_EMBEDDED=1 on
 * the embedded AWS. All arguments go to vitest.
 */
import './fargate/loopback-names.mjs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kebabCase } from '../../cdk/rouse-stack.ts';
import { startStack } from '../../local/start/stack.ts';
import { type Backend, chooseBackend } from './backends.ts';
import { makeClients } from './clients.ts';
import { CdkStack, standInImage } from './deployment.ts';
import { FargateStandIn } from './fargate/stand-in.ts';
import { removeLeftovers } from './leftovers.ts';
import { type Target, targetVariable } from './target.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const region = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || 'us-east-1';
/** A state may have to wait for three minutes until a silent crash is noticed; on AWS a container starts in one. */
const patienceMs = 300_000;

async function main(): Promise<boolean> {
  const backend = await chooseBackend(process.env);
  console.log(`Backend: ${[backend.name, backend.version].filter(Boolean).join(' ')}`);
  return backend.name === 'embedded AWS' ? onEmbeddedAws() : onServer(backend);
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
      containersAreProcesses: true,
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
  const usesStandIn = name === 'MiniStack';
  const stack = new CdkStack({ backend, stackName, region, clients, usesStandIn, print: console.log });
  let standIn: FargateStandIn | undefined;
  try {
    const { outputs, accountId, apiKey } = await stack.deploy();
    const target: Target = {
      backend: name,
      version,
      apiUrl: outputs.ApiUrl!,
      apiKey,
      endpointUrl,
      region,
      accountId,
      outputs,
      prefix: kebabCase(stackName),
      containersAreProcesses: usesStandIn,
      patienceMs,
    };
    if (usesStandIn)
      standIn = await FargateStandIn.start({
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
    const passed = await runSuite(target);
    await removeLeftovers(target, clients);
    return passed;
  } finally {
    await standIn?.close();
    await stack.destroy();
  }
}

function runSuite(target: Target): Promise<boolean> {
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const child = spawn(
    process.execPath,
    [vitest, 'run', '--config', join(here, 'vitest.config.ts'), ...process.argv.slice(2)],
    {
      env: { ...process.env, ...targetVariable(target) },
      stdio: 'inherit',
    },
  );
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
