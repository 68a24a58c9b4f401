import { makeLog } from './log.ts';

/**
 * The shim: PID 1 of an agent's container, and a plain process in the local mode.
 *
 *   node shim.mjs                  enrols and works until it is told to stop, or has nothing to do
 *   node shim.mjs install <dir>    copies Node and itself to a volume, for an image without them
 *   node shim.mjs module-runner    runs one task of the module driver (the shim starts this itself)
 *
 * Exit code 0: the runtime is over and the API knows. 1: it is not, and ECS or the sweep will tell.
 *
 * Whatever ends this process ends what it started: by SIGKILL to every group on the way out, and in a container by the
 * death of PID 1. What no code can do after a SIGKILL of the shim is done by whoever reads `ROUSE_PIDS_FILE`.
 */
const [command, ...args] = process.argv.slice(2);
const entry = process.argv[1]!;

switch (command) {
  case undefined:
    await runShim();
    break;
  case 'install': {
    const { install } = await import('./install.ts');
    await install(args[0], entry);
    break;
  }
  case 'module-runner': {
    const { runModuleRunner } = await import('./drivers/module-runner.ts');
    runModuleRunner();
    break;
  }
  default:
    process.stderr.write(`The shim knows no command "${command}"; it knows: install <dir>, module-runner.\n`);
    process.exitCode = 64;
}

async function runShim(): Promise<void> {
  const { killAllGroups } = await import('./process-group.ts');
  const log = makeLog((line) => process.stdout.write(line), {
    agentId: process.env.ROUSE_AGENT_ID,
    runtimeId: process.env.ROUSE_RUNTIME_ID,
  });
  // A log that nobody reads any more must not end the work.
  process.stdout.on('error', () => {});
  process.on('exit', killAllGroups);
  const terminated = new AbortController();
  // An image may ask for another signal than SIGTERM to be stopped with (STOPSIGNAL).
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => terminated.abort());
  const die = (error: unknown) => {
    log.error('the shim failed', { error, stack: error instanceof Error ? error.stack : undefined });
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const [{ readEnvironment }, { runRuntime }] = await Promise.all([import('./environment.ts'), import('./runtime.ts')]);
  try {
    const environment = readEnvironment(process.env);
    const { code, why } = await runRuntime({
      environment,
      env: process.env,
      entry,
      log,
      terminated: terminated.signal,
    });
    log.info('the shim ends', { code, why });
    process.exit(code);
  } catch (error) {
    die(error);
  }
}
