import type { Agent, AgentDecision } from '../domain/agent.ts';
import { mostPins, pin } from '../domain/agent-fork.ts';
import { create } from '../domain/agent-life.ts';
import { agentTerminated, conflict, invalid } from '../domain/errors.ts';
import { idOf } from '../domain/id.ts';
import { putAgent } from './agents.ts';
import { type Cause, changeAgent } from './commit.ts';
import type { Deps } from './deps.ts';
import { unknownGeneration } from './generations.ts';

export interface ForkAgent {
  name?: string | undefined;
  /** @default the current one */
  generation?: number | undefined;
}

/**
 * A new agent like another one, with a copy of its files. First the source keeps the generation for it, then the fork
 * is made; reconcile copies, and lets the source go. The same seed makes the same fork.
 */
export async function forkAgent(
  deps: Deps,
  tenant: string,
  sourceId: string,
  seed: string,
  command: ForkAgent,
  by: Cause,
): Promise<Agent> {
  const id = idOf('agent', seed);
  const existing = await deps.agents.get(tenant, id, { strong: true });
  if (existing) return existing;
  const source = await changeAgent(deps, tenant, sourceId, by, (agent) =>
    keepFor(agent, id, command.generation, deps.now()),
  );
  const { template, templateVersion, overrides, labels } = source;
  const generation = source.pins?.find((kept) => kept.forkId === id)?.generation ?? null;
  const { agent, events } = create({
    id,
    tenant,
    name: command.name ?? id,
    template,
    templateVersion,
    overrides,
    labels,
    start: false,
    forkOf: { agentId: sourceId, generation },
    nowMs: deps.now(),
  });
  return putAgent(deps, agent, events, by);
}

function keepFor(source: Agent, forkId: string, asked: number | undefined, nowMs: number): AgentDecision {
  if (source.status === 'terminated') throw agentTerminated(source.id);
  if (source.copy)
    throw conflict(`The workspace of the agent "${source.id}" is itself still being copied. Try again when it is.`);
  const { pins = [], generations = [], damaged } = source;
  const kept = pins.find((other) => other.forkId === forkId);
  const generation = kept?.generation ?? asked ?? source.workspace?.generation;
  // Without any files there is nothing to keep.
  if (generation === undefined) return { agent: source, events: [] };
  if (!kept && pins.length >= mostPins)
    throw conflict(`${mostPins} copies of the agent "${source.id}" are being made. Try again when one is done.`);
  if (!generations.includes(generation)) throw unknownGeneration(source, generation);
  if (damaged?.includes(generation))
    throw invalid('generation', `Received ${generation}, which is damaged. Choose another one.`);
  return pin(source, forkId, generation, nowMs);
}
