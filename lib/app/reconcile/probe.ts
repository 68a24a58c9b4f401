import type { Deps } from '../deps.ts';
import type { Observation, Runtime } from '../ports.ts';

/** MISSING proves nothing of a task younger than this: ECS is eventually consistent, and shows stopped tasks for an hour. */
const missingAgeMs = 15 * 60_000;
/** … and nothing when seen once. */
const missingTwiceMs = 60_000;

export type Probe =
  | { state: 'dead'; proof: string }
  | { state: 'alive'; taskArn: string; observation: Observation }
  /** ECS did not say, or not surely enough. Never "gone". */
  | { state: 'unknown'; taskArn?: string };

/** What is known of a runtime's death without asking ECS: its last event. */
export function knownDeath(runtime: Runtime | undefined): string | undefined {
  return runtime?.observed?.executionStopped ? describeStop(runtime.observed) : undefined;
}

/** Asks ECS. A look-up that fails leaves the question open. */
export async function probe(deps: Deps, runtime: Runtime): Promise<Probe> {
  const known = knownDeath(runtime);
  if (known) return { state: 'dead', proof: known };
  const nowMs = deps.now();
  try {
    const taskArn = runtime.taskArn ?? (await deps.runner.find(runtime))[0];
    if (!taskArn) return notLaunched(deps, runtime, nowMs);
    const observation = await deps.runner.describe(taskArn);
    if (observation === 'missing') return missing(deps, runtime, taskArn, nowMs);
    if (runtime.missingSinceMs !== undefined) await deps.runtimes.setMissing(runtime, undefined);
    if (observation.executionStopped) {
      // Kept for whoever ends the tasks that it ran: they tell the same proof.
      await deps.runtimes.observe(runtime.tenant, runtime.id, observation);
      return { state: 'dead', proof: describeStop(observation) };
    }
    return { state: 'alive', taskArn, observation };
  } catch (error) {
    deps.log.warn('ECS could not be asked about a runtime', { runtimeId: runtime.id, error });
    return { state: 'unknown', ...(runtime.taskArn ? { taskArn: runtime.taskArn } : {}) };
  }
}

async function missing(deps: Deps, runtime: Runtime, taskArn: string, nowMs: number): Promise<Probe> {
  const bornMs = runtime.launchedMs ?? runtime.attemptedMs ?? runtime.createdMs;
  if (nowMs - bornMs < missingAgeMs) return { state: 'unknown', taskArn };
  if (runtime.missingSinceMs === undefined) {
    await deps.runtimes.setMissing(runtime, nowMs);
    return { state: 'unknown', taskArn };
  }
  if (nowMs - runtime.missingSinceMs < missingTwiceMs) return { state: 'unknown', taskArn };
  return { state: 'dead', proof: 'ECS has not known its task for over a minute' };
}

/** No task was started for it that ECS would show. */
function notLaunched(_deps: Deps, runtime: Runtime, nowMs: number): Probe {
  const sinceMs = runtime.attemptedMs ?? runtime.createdMs;
  if (nowMs - sinceMs < missingAgeMs) return { state: 'unknown' };
  return { state: 'dead', proof: 'ECS never started a task for it' };
}

/** What ECS says in its own words, and what that means for whoever made the template. */
const meanings: [RegExp, string][] = [
  [
    /CannotPull/,
    'its image could not be pulled: check its name and tag, that it is built for the architecture of the template, and that the execution role and the network let ECS reach the registry',
  ],
  [/OutOfMemory/, 'it used more memory than memoryMiB of its template allows'],
  [/CannotStartContainer|exec format error/i, 'its program could not be started: check the image and its architecture'],
  [
    /secrets? manager|secretsmanager|ssm|AccessDenied/i,
    'a secret could not be read: check that it is there, and that its name or ARN is one that the deployment allows',
  ],
  [/RESOURCE:ENI|network interface/i, 'AWS had no network interface for it'],
];

/** Why a task stopped, as a person would say it. */
export function describeStop(observation: Observation): string {
  const { stopCode, stoppedReason, exitCode } = observation;
  const reason = stoppedReason ?? 'ECS gave no reason';
  const exit =
    exitCode === undefined
      ? ''
      : exitCode === 137
        ? ' (exit code 137: killed, perhaps out of memory)'
        : ` (exit code ${exitCode})`;
  const code = stopCode === undefined ? '' : ` [${stopCode}]`;
  const meaning = meanings.find(([pattern]) => pattern.test(reason))?.[1];
  return `ECS stopped its task: ${reason.replace(/\.$/, '')}${exit}${code}${meaning ? `; ${meaning}` : ''}`;
}

/** Ends that ECS itself brings about: it wants the capacity or the host back (aws-facts 1.3). */
const codesOfCloud = ['SpotInterruption', 'TerminationNotice', 'InfrastructureHealth'];

/** Whether a task failed or ended for want of capacity, network or a host, which is nobody's fault but the cloud's. */
export function isOfCloud(observation: Observation | undefined): boolean {
  if (!observation) return false;
  return (
    codesOfCloud.includes(observation.stopCode ?? '') ||
    /capacity|RESOURCE:ENI|network interface|Timeout waiting for network|maintenance|retire/i.test(
      observation.stoppedReason ?? '',
    )
  );
}
