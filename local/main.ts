/**
 * `npm start`: a whole Rouse on this machine. PORT chooses the API's port (0 = any free one), ROUSE_DATA_DIR a folder in
 * which state survives, ROUSE_LOG=1 shows what goes wrong inside. ROUSE_LOCAL_ROOT is the folder that gets
 * `.rouse/local.json`, so that several can run side by side; unless given, this repository.
 *
 * It writes where it can be reached to `.rouse/local.json` and removes that in the end. SIGINT and SIGTERM end all of it.
 */

import { enableCompileCache } from 'node:module';
import { removeLocalFile, runningStack, writeLocalFile } from './start/local-file.ts';
import { nextSteps } from './start/next-steps.ts';
import { repository } from './start/repository.ts';

// Half a second: types are stripped and modules compiled once, not at every start.
enableCompileCache();

const root = process.env.ROUSE_LOCAL_ROOT || repository;

/** After this the process ends whatever still hangs. */
const stopLimitMs = 4000;

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`PORT must be a number from 0 to 65535 (0 takes any free port), received "${text}".`);
}

async function main(): Promise<void> {
  const port = readPort(process.env.PORT);
  const running = await runningStack(root);
  if (running) {
    throw new Error(
      `A local stack runs already: process ${running.pid} at ${running.apiUrl}. Use that one, or end it with: kill ${running.pid}`,
    );
  }
  let stop = async () => {};
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(0), stopLimitMs).unref();
    removeLocalFile(root);
    await stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end());
  endWithParent(() => void end());
  const log = process.env.ROUSE_LOG ? (line: string) => console.error(line) : undefined;
  const { startStack } = await import('./start/stack.ts');
  const started = await startStack({ port, dataDir: process.env.ROUSE_DATA_DIR || undefined, print: console.log, log });
  stop = started.stop;
  if (ending) return stop();
  const { apiUrl, apiKey, awsEndpointUrl, pid } = started;
  writeLocalFile(root, { apiUrl, apiKey, awsEndpointUrl, pid });
  console.log(nextSteps(started));
}

/** npm passes SIGTERM to the shell that it started, which dies without telling us. */
function endWithParent(end: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== parent) end();
  }, 500);
  watch.unref();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
