/**
 * `npm run localstack:up` starts MiniStack, a LocalStack-compatible server that needs no Docker, and
 * `npm run localstack:down` stops it; both may be repeated. `-- --port N` takes another port than 4566, and
 * `-- --server localstack` or `-- --server aws-emulator` is another server, which needs a Docker engine.
 */
import { parseArgs } from 'node:util';
import { type DockerServer, dockerServers, startContainer, stopContainer } from './docker.ts';
import { defaultPort, startServer, stopServer } from './ministack.ts';

const servers = ['ministack', ...Object.keys(dockerServers)];

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { port: { type: 'string' }, server: { type: 'string', default: 'ministack' } },
  });
  const { server } = values;
  if (!servers.includes(server))
    throw new Error(`--server must be one of ${servers.join(', ')}, received "${server}".`);
  const docker = server === 'ministack' ? undefined : (server as DockerServer);
  const port = Number(values.port ?? (docker ? dockerServers[docker].port : defaultPort));
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`--port must be a number from 1 to 65535, received "${values.port}".`);
  if (positionals[0] === 'down') {
    if (docker) stopContainer(docker, port);
    const stopped = docker !== undefined || (await stopServer(port));
    console.log(stopped ? `The server on port ${port} is stopped.` : `No MiniStack runs on port ${port}.`);
    return;
  }
  const variables = docker
    ? await startContainer(docker, port)
    : { AWS_ENDPOINT_URL: await startServer(port, console.log) };
  console.log(`${server} is up at ${variables.AWS_ENDPOINT_URL} (port ${port}). Use it by:`);
  const all = { ...variables, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
  for (const [name, value] of Object.entries(all)) console.log(`  export ${name}=${value}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
