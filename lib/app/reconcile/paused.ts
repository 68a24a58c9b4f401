import { holdSpent, whySpent } from '../../domain/agent-budget.ts';
import { start } from '../../domain/agent-launch.ts';
import { rearm } from '../../domain/agent-transition.ts';
import { newId } from '../../domain/id.ts';
import { launchParameters } from '../pool/launch-parameters.ts';
import { takeStandby } from '../pool/takeover.ts';
import type { Runtime } from '../ports.ts';
import { settingsOf } from '../settings.ts';
import { stepCopying } from './copying.ts';
import { takeoverDeadlineMs } from './starting.ts';
import type { Sight, Step } from './step.ts';

/** A paused agent starts when there is work for it, unless it is held or backing off. */
export async function stepPaused(sight: Sight): Promise<Step> {
  const { agent, queue, nowMs } = sight;
  if (agent.copy) return stepCopying(sight, agent.copy);
  // Work waits for the end of a hold; what it may not do is wait beyond its time.
  if (agent.held) return look(sight, queue.expiryMs);
  if (!queue.ready && !agent.wanted) return look(sight, queue.nextMs);
  if (agent.notBeforeMs !== undefined && agent.notBeforeMs > nowMs) return look(sight, agent.notBeforeMs);
  const spent = whySpent(agent, (await settingsOf(sight.deps, agent)).budget);
  if (spent) return { decision: holdSpent(agent, spent, nowMs), again: true };
  const reason = queue.ready ? `task ${queue.ready.id} is waiting` : 'start requested';
  const standby = await takeStandby(sight.deps, agent, nowMs);
  if (standby) {
    return {
      decision: start(agent, standby.id, reason, nowMs, true),
      effects: [
        { type: 'ring', runtimeId: standby.id },
        { type: 'nudge_pool', template: agent.template },
        { type: 'timer', atMs: nowMs + takeoverDeadlineMs },
      ],
    };
  }
  const runtime = await freeze(sight);
  // The row first: an agent must never point to a runtime that nobody can launch.
  await sight.deps.runtimes.create(runtime);
  return {
    decision: start(agent, runtime.id, reason, nowMs),
    effects: [{ type: 'request_launch', runtimeId: runtime.id }],
  };
}

/** Looks again when there will be something to see, to the second. */
function look({ agent }: Sight, atMs: number | undefined): Step {
  const decision = rearm(agent, { dueAtMs: atMs });
  if (decision.agent.dueAtMs === agent.dueAtMs) return {};
  return { decision, effects: atMs === undefined ? [] : [{ type: 'timer', atMs }] };
}

/** Everything that a launch sends is decided here, once. */
async function freeze({ deps, agent, nowMs }: Sight): Promise<Runtime> {
  const version = await deps.templates.get(agent.tenant, agent.template, agent.templateVersion);
  if (!version) throw new Error(`Version ${agent.templateVersion} of the template ${agent.template} is gone.`);
  return {
    id: newId('runtime', nowMs, deps.random, agent.id),
    agentId: agent.id,
    tenant: agent.tenant,
    createdMs: nowMs,
    templateVersion: agent.templateVersion,
    overrides: agent.overrides,
    ...launchParameters(version),
    status: 'intended',
  };
}
