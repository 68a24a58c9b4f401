import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { Driver, DriverSetting } from './drivers/driver.ts';
import { findUser } from './drivers/user.ts';
import { enrol, type Session } from './enrolment.ts';
import type { Environment } from './environment.ts';
import { describeError, type Log } from './log.ts';
import { type Exit, Loop } from './loop.ts';
import type { WorkspacePointer } from './protocol.ts';
import { DisplacedError, makeRuntimeClient, type RuntimeClient } from './runtime-client.ts';
import { startTask } from './task-run.ts';
import { readContainerSize } from './usage.ts';
import { WorkspaceDamagedError } from './workspace/damage.ts';
import type { Workspace } from './workspace/workspace.ts';
import { makeWorkspaceKeeper } from './workspace-keeper.ts';

export interface RuntimeOptions {
  environment: Environment;
  /** The container's environment: credentials endpoint, PATH, secrets. */
  env: NodeJS.ProcessEnv;
  /** The script that runs as `node <entry> module-runner`. */
  entry: string;
  log: Log;
  /** Aborts when SIGTERM comes. */
  terminated: AbortSignal;
  clock?: Clock;
  fetch?: typeof fetch;
}

/** Time between the first claim and the first poll of the bell: loading the SDK must not delay the first task. */
const bellDelayMs = 100;

/** One runtime from enrolment to goodbye. Rejects only where something is broken that the protocol has no word for. */
export async function runRuntime(options: RuntimeOptions): Promise<Exit> {
  const { environment, env, log, terminated, clock = systemClock, fetch = globalThis.fetch } = options;
  let loop: Loop | null = null;
  const client = makeRuntimeClient({
    apiUrl: environment.apiUrl,
    fetch,
    clock,
    onDisplaced: (error) => loop?.displace(error),
  });
  const size = readContainerSize(environment.metadataUrl, fetch);
  const over = new AbortController();
  try {
    const session = await enrol({ environment, env, client, clock, fetch, log }, terminated);
    if (session === null) return { code: 0, why: 'signal before enrolment' };
    over.signal.addEventListener('abort', () => session.bell.close());
    log.info('enrolled', { agentId: session.enrolment.agent.id });
    void session.keepFresh(over.signal);
    const setting = await makeSetting(options, session, clock);
    const workspace = await makeRuntimeWorkspace(session, setting, options, client, clock);
    const failed = await restore(workspace, session, client, log);
    if (failed !== null) return failed;

    const { config } = session.enrolment;
    const keeper = makeWorkspaceKeeper(workspace, config.workspace, clock, log);
    const driver = await loadDriver(config.driver.type);
    const containerSize = await size;
    loop = new Loop({
      client,
      config,
      startedAt: Date.parse(session.enrolment.runtime.startedAt),
      keeper,
      clock,
      log,
      startTask: (task, hooks) =>
        startTask(task, {
          ...hooks,
          client,
          driver,
          setting,
          maxInlineBytes: session.enrolment.maxInlineBytes,
          size: containerSize,
          fetch,
          clock,
          log,
          enterWorkspace: keeper.enter,
          saveBeforeCompletion: keeper.saveAfterTask,
        }),
    });
    const running = loop;
    if (terminated.aborted) running.terminate();
    else terminated.addEventListener('abort', () => running.terminate(), { once: true });
    void hearBell(session, clock, () => running.ring(), over.signal);
    return await running.run();
  } catch (error) {
    if (!(error instanceof DisplacedError)) throw error;
    return { code: error.code === 'runtime_replaced' ? 0 : 1, why: error.message };
  } finally {
    over.abort();
  }
}

async function hearBell(
  { bell, credentials }: Session,
  clock: Clock,
  onRing: () => void,
  signal: AbortSignal,
): Promise<void> {
  // A standby's rings are for the agent at once.
  if (!bell.isListening) await clock.sleep(bellDelayMs, signal);
  bell.hear({ credentials, onRing });
}

async function makeSetting(
  { environment, env, entry }: RuntimeOptions,
  { enrolment: { config, agent } }: Session,
  clock: Clock,
): Promise<DriverSetting> {
  const { runtimeId, workspace, moduleRoot, pidsFile } = environment;
  const user = findUser(config.user);
  return {
    config,
    agentId: agent.id,
    runtimeId,
    workspace,
    moduleRoot,
    pidsFile,
    entry,
    containerEnv: env,
    user,
    clock,
  };
}

async function makeRuntimeWorkspace(
  session: Session,
  { workspace: root, user: owner }: DriverSetting,
  { environment: { region, endpointUrl } }: RuntimeOptions,
  client: RuntimeClient,
  clock: Clock,
): Promise<Workspace> {
  const { makeWorkspace } = await import('./workspace/workspace.ts');
  const { bucket, writePrefix } = session.enrolment.storage;
  return makeWorkspace({
    root,
    writePrefix,
    owner,
    clock,
    commit: (report, signal) => client.workspace(report, signal ? { signal } : {}),
    async openStorage() {
      const { makeS3Storage } = await import('./object-storage.ts');
      return await makeS3Storage({ bucket, region, endpointUrl, credentials: session.credentials });
    },
  });
}

/**
 * Brings the files back. Where a generation is damaged, the server names the last good one; where that fails too, or
 * for another reason, it decides what becomes of the agent, which never starts without its files.
 */
async function restore(
  workspace: Workspace,
  { enrolment }: Session,
  client: RuntimeClient,
  log: Log,
): Promise<Exit | null> {
  let pointer = enrolment.config.workspace.enabled ? enrolment.workspace : null;
  for (;;) {
    try {
      await workspace.restore(pointer);
      if (pointer !== null) log.info('workspace restored', { generation: pointer.generation });
      return null;
    } catch (error) {
      const detail = `Generation ${pointer?.generation ?? 0} could not be restored: ${describeError(error)}`;
      log.error('a generation could not be restored', { detail });
      const earlier = pointer && (await earlierThan(pointer, error, client, log));
      if (!earlier) {
        await client.stop('workspace_failed', detail);
        return { code: 1, why: detail };
      }
      pointer = earlier;
    }
  }
}

/** What to restore instead of a damaged generation. */
async function earlierThan(
  { generation }: WorkspacePointer,
  error: unknown,
  client: RuntimeClient,
  log: Log,
): Promise<WorkspacePointer | null> {
  if (!(error instanceof WorkspaceDamagedError)) return null;
  try {
    const detail = error.message.slice(0, 4096);
    const answer = await client.workspaceDamaged({ generation, missing: error.missing, detail });
    return answer.workspace;
  } catch (refusal) {
    if (refusal instanceof DisplacedError) throw refusal;
    log.error('the damage was not taken down', { error: refusal });
    return null;
  }
}

async function loadDriver(type: 'command' | 'module'): Promise<Driver> {
  return type === 'command'
    ? (await import('./drivers/command.ts')).runCommand
    : (await import('./drivers/module.ts')).runModule;
}
