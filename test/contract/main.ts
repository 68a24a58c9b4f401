/**
 * `npm run test:contract`: the contract suites on a backend other than the embedded AWS, on which `npm test` runs them.
 * That is MiniStack, started for the run, or what answers at ROUSE_CONTRACT_ENDPOINT (`aws` for AWS itself, which costs
 * cents and leaves nothing behind). All arguments go to vitest.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startServer, stopServer } from '../deployed/servers/ministack.ts';
import { backendAt } from './backend-name.ts';

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const table = fileURLToPath(new URL('table.ts', import.meta.url));
const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url));

async function main(): Promise<number> {
  const given = process.env.ROUSE_CONTRACT_ENDPOINT;
  if (given) return run(given);
  const port = await freePort();
  try {
    const endpointUrl = await startServer(port, console.log);
    return await run(endpointUrl);
  } finally {
    await stopServer(port);
  }
}

async function run(endpoint: string): Promise<number> {
  const name = await backendAt(endpoint);
  console.log(`Contract suites on ${name}, ${endpoint}`);
  const env = { ...process.env, ROUSE_CONTRACT_ENDPOINT: endpoint, ROUSE_CONTRACT_BACKEND: name };
  const given = process.argv.slice(2);
  const reporters = [...(given.some((arg) => arg.startsWith('--reporter')) ? [] : ['default']), table];
  const flags = ['--config', config, ...reporters.map((reporter) => `--reporter=${reporter}`), ...given];
  const child = spawn(process.execPath, [vitest, 'run', ...flags], { env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

process.exitCode = await main();
