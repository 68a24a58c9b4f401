import type { Agent, AgentDecision, Workspace } from './agent.ts';
import { decided, requireStatus } from './agent-transition.ts';

/**
 * A generation of the workspace is verified, and is now the one that the next runtime starts from. Of those before it
 * the newest `keep` stay, besides those that are needed; what the head does not name any more may be removed.
 */
export function saveWorkspace(agent: Agent, workspace: Workspace, keep: number, nowMs: number): AgentDecision {
  requireStatus(agent, 'save its workspace', ['running', 'stopping']);
  const { generation, bytes, files } = workspace;
  const after = { ...agent, workspace, generations: [...(agent.generations ?? []), generation] };
  return decided(agent, { workspace, lastGeneration: generation, ...keptOf(after, keep) }, nowMs, {
    type: 'agent.workspace_saved',
    data: { generation, bytes, files },
  });
}

/** Only what no runtime works on is rolled back. */
export function requireAtRest(agent: Agent): void {
  requireStatus(agent, 'roll back', ['paused', 'archived', 'error']);
}

/** Points back to a generation that is kept. Later ones stay; the next save gets a number above them all. */
export function rollBack(agent: Agent, workspace: Workspace, nowMs: number): AgentDecision {
  requireAtRest(agent);
  const from = agent.workspace?.generation;
  if (from === workspace.generation) return { agent, events: [] };
  return decided(agent, { workspace }, nowMs, {
    type: 'agent.workspace_rolled_back',
    data: { from, generation: workspace.generation },
  });
}

export interface Damage {
  generation: number;
  reason: string;
  /** When what is lost was saved. */
  savedMs: number | undefined;
}

/** The generation that its runtime was to start from is damaged. It starts from the last good one, if there is one. */
export function fallBack(
  agent: Agent,
  damage: Damage,
  good: { workspace: Workspace; savedMs: number } | undefined,
  nowMs: number,
): AgentDecision {
  requireStatus(agent, 'fall back', ['running', 'stopping']);
  const { generation, reason } = damage;
  const damaged = [...new Set([...(agent.damaged ?? []), generation])];
  const time = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  const data = {
    generation,
    reason,
    lost: agent.workspace ? { savedAt: time(damage.savedMs), ...sizeOf(agent.workspace) } : null,
    restored: good ? { generation: good.workspace.generation, savedAt: time(good.savedMs) } : null,
  };
  const change = good
    ? {
        damaged,
        workspace: good.workspace,
        statusReason: `generation ${generation} of its workspace is damaged; it went on from ${good.workspace.generation}`,
      }
    : { damaged };
  return decided(agent, change, nowMs, { type: 'agent.workspace_damaged', data });
}

/** Numbers of the generations that it may fall back to from `generation`, the newest first. */
export function goodBefore(agent: Agent, generation: number): number[] {
  const numbers = agent.generations ?? [];
  return numbers.filter((number) => number < generation && !agent.damaged?.includes(number)).toReversed();
}

/** The newest `keep` good generations, the current one, those that are being copied, and `besides`. */
export function keptOf(agent: Agent, keep: number, besides?: number): Pick<Agent, 'generations' | 'damaged'> {
  const { generations = [], damaged, workspace, pins = [] } = agent;
  const good = generations.filter((number) => !damaged?.includes(number));
  const oldest = keep > 0 ? (good.at(-keep) ?? 0) : Number.POSITIVE_INFINITY;
  const needed = new Set([workspace?.generation, besides, ...pins.map((pin) => pin.generation)]);
  const kept = generations.filter((number) => number >= oldest || needed.has(number));
  const stillDamaged = damaged?.filter((number) => kept.includes(number));
  return { generations: kept, damaged: stillDamaged?.length ? stillDamaged : undefined };
}

function sizeOf({ bytes, files }: Workspace) {
  return { bytes, files };
}
