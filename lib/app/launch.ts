import { launchDeadline, launchFailed } from '../domain/agent-launch.ts';
import { bySystem, commitAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import type { Refusal, Runtime } from './ports.ts';

/** ECS remembers a token for at least an hour after the task; ours are not used again after ten minutes (design). */
const tokenLifeMs = 10 * 60_000;

/** Launches a runtime that is still wanted. The only caller of RunTask; doing it twice is doing it once. */
export async function launch(
  deps: Deps,
  tenant: string,
  runtimeId: string,
  cause: string,
): Promise<'launched' | 'refused' | 'not_wanted'> {
  const runtime = await deps.runtimes.get(tenant, runtimeId);
  if (!runtime || runtime.launchedMs !== undefined || runtime.status === 'ended') return 'not_wanted';
  const agent = await deps.agents.get(tenant, runtime.agentId, { strong: true });
  if (agent?.runtimeId !== runtimeId || agent.status !== 'starting') {
    // Refused, and its bell was not removed any more: nobody else would.
    const isKnown = agent?.runtimeId === runtimeId || agent?.retired.some((one) => one.id === runtimeId);
    if (runtime.attemptedMs !== undefined && !isKnown) await deps.queues.deleteBell(runtimeId);
    return 'not_wanted';
  }
  const attemptedMs = await deps.runtimes.attempt(runtime, deps.now());
  // Too old a try: whether it worked is for reconcile to find out.
  if (deps.now() - attemptedMs > tokenLifeMs) return 'not_wanted';
  await deps.queues.createBell(runtimeId);
  const result = await deps.runner.launch(runtime);
  if ('taskArn' in result) {
    await deps.runtimes.launched(runtime, result.taskArn, deps.now());
    // To the second; the sweep would be up to a minute late.
    const deadlineMs = deps.now() + launchDeadline(agent);
    await deps.queues.nudgeAt({ tenant, kind: 'agent', id: agent.id }, deadlineMs, deps.now());
    deps.log.info('runtime launched', { agentId: runtime.agentId, runtimeId, taskArn: result.taskArn });
    return 'launched';
  }
  await refuse(deps, runtime, result.refused, cause);
  return 'refused';
}

/** Written down as a due time, and tried again with another token: ECS gives the same answer to the same one. */
async function refuse(deps: Deps, runtime: Runtime, { reason, ours }: Refusal, cause: string): Promise<void> {
  const { tenant, agentId, id } = runtime;
  const after = await retried(async () => {
    const agent = await deps.agents.get(tenant, agentId, { strong: true });
    if (agent?.runtimeId !== id || agent.status !== 'starting') return undefined;
    const decision = launchFailed(agent, reason, ours, deps.now());
    // Nothing was started, so there is nothing to wait for.
    const retired = decision.agent.retired.filter((one) => one.id !== id);
    return commitAgent(deps, agent, { ...decision, agent: { ...decision.agent, retired } }, bySystem('launch', cause));
  });
  await deps.queues.deleteBell(id);
  if (after?.notBeforeMs !== undefined)
    await deps.queues.nudgeAt({ tenant, kind: 'agent', id: agentId }, after.notBeforeMs, deps.now());
}
