import type { Agent } from '../domain/agent.ts';
import { fallBack, goodBefore, requireAtRest, rollBack, saveWorkspace } from '../domain/agent-workspace.ts';
import { invalid, RouseError } from '../domain/errors.ts';
import { enrolledAgent, type RuntimeIdentity } from './claim.ts';
import { type Cause, changeAgent, commitAgent, existingAgent, retried } from './commit.ts';
import type { Deps } from './deps.ts';
import type { Page } from './ports.ts';
import { pruneGenerations } from './prune-generations.ts';
import { settingsOf } from './settings.ts';
import { inspectGeneration, type SavedGeneration, verifyGeneration } from './verify-generation.ts';
import type { Generation } from './workspace-ports.ts';

/** Moves the agent's pointer to a new generation, once its manifest and all that it names are seen to be there. */
export async function commitGeneration(
  deps: Deps,
  me: RuntimeIdentity,
  saved: SavedGeneration,
  by: Cause,
): Promise<void> {
  const agent = await enrolledAgent(deps, me);
  const { workspace: current } = agent;
  if (current?.manifestSha256 === saved.manifestSha256 && current.generation === saved.generation) {
    // The answer was lost, and perhaps what follows from it.
    await pruneGenerations(deps, agent);
    return;
  }
  refuseGap(agent, saved);
  const packs = await verifyGeneration(deps, me, saved);
  const { generation: number, ...rest } = saved;
  await deps.generations.put(me.tenant, me.agentId, {
    ...rest,
    number,
    packs,
    runtimeId: me.id,
    createdMs: deps.now(),
  });
  const { keepGenerations } = (await settingsOf(deps, agent)).workspace;
  const after = await retried(async () => {
    const now = await enrolledAgent(deps, me);
    refuseGap(now, saved);
    const { parent: _parent, ...workspace } = saved;
    return commitAgent(deps, now, saveWorkspace(now, workspace, keepGenerations, deps.now()), by);
  });
  if ((agent.generations ?? []).some((kept) => !after.generations?.includes(kept))) await pruneGenerations(deps, after);
}

function refuseGap({ workspace, lastGeneration = 0 }: Agent, saved: SavedGeneration): void {
  const current = workspace?.generation ?? null;
  if (saved.parent === current && saved.generation > lastGeneration) return;
  const detail = `Received generation ${saved.generation} with parent ${saved.parent}; the current one is ${current}, and the last one was ${lastGeneration}.`;
  throw new RouseError('generation_conflict', detail);
}

export interface DamageReport {
  generation: number;
  /** Something of it is not there, as the shim sees it; otherwise what is there has another hash or size. */
  missing: boolean;
  detail: string;
}

/**
 * A runtime can't restore the current generation: it gets the last good one. What is said to be missing is looked for,
 * since a bucket that refuses for another reason must not cost anybody's work.
 *
 * @returns what to restore instead; undefined if none is good
 */
export async function reportDamage(
  deps: Deps,
  me: RuntimeIdentity,
  report: DamageReport,
  by: Cause,
): Promise<Agent | undefined> {
  const { tenant, agentId } = me;
  return retried(async () => {
    const agent = await enrolledAgent(deps, me);
    const current = agent.workspace;
    if (current?.generation !== report.generation) {
      if (agent.damaged?.includes(report.generation)) return agent;
      const detail = `Received generation ${report.generation}; the current one is ${current?.generation ?? null}.`;
      throw new RouseError('generation_conflict', detail);
    }
    const fault = report.missing ? (await inspectGeneration(deps, current)).fault : report.detail;
    if (fault === undefined) {
      const detail = `Generation ${report.generation} is complete in the bucket, so nothing is marked. Received: ${report.detail}`;
      throw new RouseError('workspace_unverified', detail);
    }
    const row = await deps.generations.get(tenant, agentId, report.generation);
    if (row) await deps.generations.markDamaged(tenant, agentId, report.generation, fault, deps.now());
    const good = await lastGood(deps, agent, report.generation);
    const damage = { generation: report.generation, reason: fault, savedMs: row?.createdMs };
    const after = await commitAgent(deps, agent, fallBack(agent, damage, good, deps.now()), by);
    return good ? after : undefined;
  });
}

async function lastGood(deps: Deps, agent: Agent, generation: number) {
  for (const number of goodBefore(agent, generation)) {
    const row = await deps.generations.get(agent.tenant, agent.id, number);
    if (row) return { workspace: pointerTo(row), savedMs: row.createdMs };
  }
  return undefined;
}

/** Points an agent that has no runtime back to a generation that is kept. */
export function rollBackAgent(
  deps: Deps,
  tenant: string,
  agentId: string,
  generation: number,
  by: Cause,
): Promise<Agent> {
  return changeAgent(deps, tenant, agentId, by, async (agent) => {
    requireAtRest(agent);
    const row = agent.generations?.includes(generation)
      ? await deps.generations.get(tenant, agentId, generation)
      : undefined;
    if (!row) throw unknownGeneration(agent, generation);
    if (agent.damaged?.includes(generation))
      throw invalid('generation', `Received ${generation}, which is damaged; ${choiceOf(agent)}`);
    return rollBack(agent, pointerTo(row), deps.now());
  });
}

export function unknownGeneration(agent: Agent, generation: number): RouseError {
  return invalid('generation', `Received ${generation}, which is not there (any more); ${choiceOf(agent)}`);
}

function choiceOf(agent: Agent): string {
  const good = (agent.generations ?? []).filter((number) => !agent.damaged?.includes(number));
  return good.length ? `allowed are ${good.join(', ')}.` : 'the agent has none.';
}

export function pointerTo({ number: generation, manifestKey, manifestSha256, bytes, files }: Generation) {
  return { generation, manifestKey, manifestSha256, bytes, files };
}

/** Those that are kept, newest first: not what is still being removed, nor what a broken save left. */
export async function listGenerations(
  deps: Deps,
  tenant: string,
  agentId: string,
  limit: number,
  before: number | undefined,
): Promise<{ agent: Agent; page: Page<Generation> }> {
  const agent = await existingAgent(deps, tenant, agentId);
  const page = await deps.generations.page(tenant, agentId, limit, before);
  return { agent, page: { ...page, items: page.items.filter(({ number }) => agent.generations?.includes(number)) } };
}
