/**
 * `npm run localstack:up [-- --port N]` starts MiniStack, a LocalStack-compatible server that needs no Docker, and
 * `npm run localstack:down [-- --port N]` stops it. Both may be repeated.
 */
import { parseArgs } from 'node:util';
import { defaultPort, startServer, stopServer } from './server.ts';

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { port: { type: 'string', default: String(defaultPort) } },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`--port must be a number from 1 to 65535, received "${values.port}".`);
  if (positionals[0] === 'down') {
    const stopped = await stopServer(port);
    console.log(stopped ? `MiniStack on port ${port} is stopped.` : `No MiniStack runs on port ${port}.`);
    return;
  }
  const { endpointUrl, ranAlready } = await startServer(port, console.log);
  console.log(`MiniStack ${ranAlready ? 'runs already' : 'is up'} at ${endpointUrl} (port ${port}). Use it by:`);
  console.log(`  export AWS_ENDPOINT_URL=${endpointUrl} AWS_REGION=us-east-1`);
  console.log('  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test');
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
