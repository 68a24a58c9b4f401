import { launchDeadline, launchDeadlineMs, launchFailed } from '../domain/agent-launch.ts';
import { agentHead, type HeadRef, poolHead } from '../domain/head.ts';
import { decide } from '../domain/pool.ts';
import { bySystem, type Cause, commitAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import { commitPool } from './pool/commit.ts';
import type { Refusal, Runtime } from './ports.ts';
import { enterRoom, leaveLine, leaveRoom, waitForRoom } from './room/enter.ts';
import { isMinded } from './runtime-owner.ts';

/** ECS remembers a token for at least an hour after the task; ours are not used again after ten minutes (design). */
const tokenLifeMs = 10 * 60_000;

/** Whoever a runtime is for, as a launch sees it. */
interface Owner {
  head: HeadRef;
  isWanted: boolean;
  deadlineMs: number;
}

/** Launches a runtime that is still wanted. The only caller of RunTask; doing it twice is doing it once. */
export async function launch(
  deps: Deps,
  tenant: string,
  runtimeId: string,
  cause: string,
): Promise<'launched' | 'refused' | 'waiting' | 'not_wanted'> {
  const runtime = await deps.runtimes.get(tenant, runtimeId);
  if (!runtime || runtime.launchedMs !== undefined || runtime.status === 'ended') {
    if (runtime) await leaveLine(deps, runtime);
    return 'not_wanted';
  }
  const owner = await ownerOfLaunch(deps, runtime);
  const nudgeRoom = (room: HeadRef) => deps.queues.nudgeAt(room, deps.now(), deps.now());
  if (!owner.isWanted) {
    // It may have waited, or died on its way to RunTask; or it was refused, and nobody else would clear up after it.
    const isLeft = runtime.attemptedMs !== undefined && !(await isMinded(deps, runtime));
    if (isLeft) await deps.queues.deleteBell(runtimeId);
    if (isLeft || runtime.attemptedMs === undefined) await leaveRoom(deps, tenant, runtimeId, nudgeRoom);
    return 'not_wanted';
  }
  const noRoom = await enterRoom(deps, runtime);
  if (noRoom !== undefined && runtime.agentId !== undefined) {
    await waitForRoom(deps, runtime, runtime.agentId, noRoom, bySystem('launch', cause));
    return 'waiting';
  }
  const attemptedMs = await deps.runtimes.attempt(runtime, deps.now());
  // Too old a try: whether it worked is for reconcile to find out.
  if (deps.now() - attemptedMs > tokenLifeMs) return 'not_wanted';
  await deps.queues.createBell(runtime);
  const result = noRoom === undefined ? await deps.runner.launch(runtime) : { refused: { reason: noRoom, ours: true } };
  if ('taskArn' in result) {
    await deps.runtimes.launched(runtime, result.taskArn, deps.now());
    // To the second; the sweep would be up to a minute late.
    await deps.queues.nudgeAt(owner.head, deps.now() + owner.deadlineMs, deps.now());
    deps.log.info('runtime launched', { owner: owner.head.id, runtimeId, taskArn: result.taskArn });
    return 'launched';
  }
  const nextMs = await refuse(deps, runtime, result.refused, bySystem('launch', cause));
  await deps.queues.deleteBell(runtimeId);
  await leaveRoom(deps, tenant, runtimeId, nudgeRoom);
  if (nextMs !== undefined) await deps.queues.nudgeAt(owner.head, nextMs, deps.now());
  return 'refused';
}

async function ownerOfLaunch(deps: Deps, { tenant, id, agentId, pool, dismissedMs }: Runtime): Promise<Owner> {
  if (agentId !== undefined) {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    return {
      head: agentHead(tenant, agentId),
      isWanted: agent?.runtimeId === id && agent.status === 'starting',
      deadlineMs: agent ? launchDeadline(agent) : launchDeadlineMs,
    };
  }
  const own = pool === undefined ? undefined : await deps.pools.get(tenant, pool, { strong: true });
  return {
    head: poolHead(tenant, pool ?? ''),
    isWanted: dismissedMs === undefined && (own?.standbys.some((one) => one.id === id) ?? false),
    deadlineMs: launchDeadlineMs,
  };
}

/**
 * Written down as a due time, and tried again with another token: ECS gives the same answer to the same one.
 * @returns when the next launch may be
 */
async function refuse(deps: Deps, runtime: Runtime, refusal: Refusal, by: Cause): Promise<number | undefined> {
  return retried(() =>
    runtime.agentId === undefined
      ? refusePool(deps, runtime, refusal, by)
      : refuseAgent(deps, runtime, runtime.agentId, refusal, by),
  );
}

async function refuseAgent(
  deps: Deps,
  { tenant, id }: Runtime,
  agentId: string,
  { reason, ours }: Refusal,
  by: Cause,
): Promise<number | undefined> {
  const agent = await deps.agents.get(tenant, agentId, { strong: true });
  if (agent?.runtimeId !== id || agent.status !== 'starting') return undefined;
  const decision = launchFailed(agent, reason, ours, deps.now());
  // Nothing was started, so there is nothing to wait for.
  const retired = decision.agent.retired.filter((one) => one.id !== id);
  const after = await commitAgent(deps, agent, { ...decision, agent: { ...decision.agent, retired } }, by);
  return after.notBeforeMs;
}

async function refusePool(
  deps: Deps,
  { tenant, id, pool: template = '' }: Runtime,
  { reason, ours }: Refusal,
  by: Cause,
): Promise<number | undefined> {
  const pool = await deps.pools.get(tenant, template, { strong: true });
  if (!pool?.standbys.some((one) => one.id === id)) return undefined;
  const decision = decide(pool, [{ type: 'lose', runtimeId: id, proof: reason, ours, dead: true }], deps.now());
  const { notBeforeMs } = decision.pool;
  await commitPool(deps, pool, { ...decision, pool: { ...decision.pool, dueAtMs: notBeforeMs } }, by);
  return notBeforeMs;
}
