/** Amazon's DynamoDB Local: fetched from Maven once, run in memory on a free port. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnMortal } from './mortal-child.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const cache = fileURLToPath(new URL('../../../node_modules/.cache/dynamodb-local', import.meta.url));
const mainClass = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
const startTimeoutMs = 60_000;

export interface DynamoDbLocal {
  endpoint: string;
  version: string;
  stop(): Promise<void>;
}

/** @throws Error when Java 17 or Maven are missing, nothing can be fetched, or the server doesn't come up in a minute */
export async function startDynamoDbLocal(): Promise<DynamoDbLocal> {
  const version = pinnedVersion();
  const libraries = fetched(version);
  const port = await freePort();
  const flags = [`-Djava.library.path=${libraries}`, '-Xmx1g', '-cp', join(libraries, '*'), mainClass];
  const command = ['java', ...flags, '-inMemory', '-disableTelemetry', '-port', String(port)];
  const { child: server, stop } = spawnMortal(command);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await answering(server, endpoint);
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, version, stop };
}

function pinnedVersion(): string {
  const pom = readFileSync(join(folder, 'pom.xml'), 'utf8');
  return /<artifactId>DynamoDBLocal<\/artifactId>\s*<version>([^<]+)</.exec(pom)![1]!;
}

/** The folder of the libraries, fetched if they aren't there yet. */
function fetched(version: string): string {
  const target = join(cache, version);
  if (existsSync(target)) return target;
  const partial = join(cache, `${version}.${process.pid}`);
  mkdirSync(partial, { recursive: true });
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${partial}`];
  const done = spawnSync('mvn', ['--batch-mode', '--quiet', '--file', join(folder, 'pom.xml'), ...goal], {
    encoding: 'utf8',
  });
  if (done.status !== 0) {
    rmSync(partial, { recursive: true, force: true });
    const detail = done.error
      ? `mvn could not be started (${done.error.message})`
      : `${done.stdout}${done.stderr}`.trim();
    throw new Error(
      `DynamoDB Local ${version} could not be fetched: ${detail}. Install Maven 3.8 and Java 17, and let Maven reach its repository.`,
    );
  }
  renameSync(partial, target);
  return target;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('No port.')),
      );
    });
  });
}

/** Waits until the server answers. */
async function answering(server: ChildProcess, endpoint: string): Promise<void> {
  let said = '';
  server.stdout?.on('data', (chunk) => (said += chunk));
  server.stderr?.on('data', (chunk) => (said += chunk));
  let failure: Error | undefined;
  server.once('error', (error) => (failure = new Error(`sh could not be started (${error.message})`)));
  server.once(
    'exit',
    (code) => (failure ??= new Error(`DynamoDB Local ended with ${code}: ${said.trim()}. Java 17 is needed.`)),
  );
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline) {
    if (failure) throw failure;
    const isUp = await fetch(endpoint).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`DynamoDB Local did not answer within ${startTimeoutMs / 1000} s: ${said.trim()}`);
}
