import type { Agent } from '../../domain/agent.ts';
import { reduced } from '../../domain/agent-archive.ts';
import { rearm } from '../../domain/agent-transition.ts';
import type { Deps } from '../deps.ts';
import type { Step } from './step.ts';

/** A copy that goes on is looked at again after this long; its fork tells when it is done. */
const againMs = 300_000;

/** Generations that an agent keeps for its forks: let go of when they are copied, or nobody copies them any more. */
export async function stepPins(deps: Deps, agent: Agent, nowMs: number): Promise<Step | undefined> {
  if (!agent.pins?.length) return undefined;
  const pins = [];
  for (const pin of agent.pins) {
    const fork = await deps.agents.get(agent.tenant, pin.forkId, { strong: true });
    const due = pin.checkMs <= nowMs;
    const isWanted = fork ? fork.copy !== undefined && fork.status === 'paused' : !due;
    if (isWanted) pins.push(due ? { ...pin, checkMs: nowMs + againMs } : pin);
  }
  const changed = pins.length < agent.pins.length || pins.some((pin, i) => pin !== agent.pins?.[i]);
  if (!changed) return undefined;
  const after = { ...agent, pins: pins.length ? pins : undefined };
  const kept = agent.status === 'archived' ? reduced(after) : {};
  const isGone = agent.status === 'archived' || agent.status === 'terminated';
  const dueAtMs = isGone || (agent.dueAtMs ?? nowMs) <= nowMs ? nowMs : agent.dueAtMs;
  return { decision: rearm(agent, { pins: after.pins, ...kept, dueAtMs }) };
}
