import type { Agent, AgentDecision } from '../../domain/agent.ts';
import { agentHead, type HeadRef, poolHead } from '../../domain/head.ts';
import type { LiveTask, QueuedTask } from '../../domain/task.ts';
import type { Cause } from '../commit.ts';
import type { Deps } from '../deps.ts';
import type { Runtime } from '../ports.ts';
import { leaveRoom } from '../room/enter.ts';

/** What acting on a decision means; each is safe to repeat. */
export type Effect =
  | { type: 'request_launch'; runtimeId: string }
  | { type: 'ring'; runtimeId: string }
  | { type: 'stop_task'; taskArn: string; reason: string }
  | { type: 'delete_bell'; runtimeId: string }
  | { type: 'end_runtime'; runtimeId: string }
  /** A standby was taken over: the pool refills. */
  | { type: 'nudge_pool'; template: string }
  /** A nudge to the second, besides the due time that the sweep looks at; of another agent, if it names one. */
  | { type: 'timer'; atMs: number; agentId?: string };

/** What one look at an agent led to. `again`: its state has changed, look once more. */
export interface Step {
  decision?: AgentDecision;
  /** Done before the decision is committed: nobody would know of them afterwards, and they are right without it. */
  cleanups?: Effect[];
  effects?: Effect[];
  again?: boolean;
}

/** What one look has seen. */
export interface Sight {
  deps: Deps;
  agent: Agent;
  /** The runtime of the head, if it has one. */
  runtime: Runtime | undefined;
  queue: QueueView;
  /** Settings of its template, read when they are needed. */
  nowMs: number;
  by: Cause;
}

export interface QueueView {
  /** The oldest task that could start now. */
  ready: QueuedTask | undefined;
  /** When the next task becomes ready, or expires. */
  nextMs: number | undefined;
  /** When the next task expires. */
  expiryMs: number | undefined;
  /** Tasks that a runtime holds. */
  held: Extract<LiveTask, { status: 'running' | 'cancelling' }>[];
  /** Any unfinished task at all. */
  any: boolean;
  /** Tasks of a dead runtime went back to the queue: what is ready has to be looked at again. */
  changed: boolean;
}

export function earliest(...timesMs: (number | undefined)[]): number | undefined {
  const known = timesMs.filter((timeMs) => timeMs !== undefined);
  return known.length ? Math.min(...known) : undefined;
}

export async function act(deps: Deps, head: HeadRef, effects: readonly Effect[]): Promise<void> {
  const { tenant } = head;
  for (const effect of effects) {
    switch (effect.type) {
      case 'request_launch':
        await deps.queues.requestLaunch(head, effect.runtimeId);
        break;
      case 'ring':
        await deps.queues.ring(effect.runtimeId);
        break;
      case 'stop_task':
        await deps.runner.stop(effect.taskArn, effect.reason);
        break;
      case 'delete_bell':
        await deps.queues.deleteBell(effect.runtimeId);
        break;
      case 'end_runtime':
        await leaveRoom(deps, tenant, effect.runtimeId, (room) => deps.queues.nudgeAt(room, deps.now(), deps.now()));
        await deps.runtimes.ended(tenant, effect.runtimeId);
        break;
      case 'timer':
        await deps.queues.nudgeAt(effect.agentId ? agentHead(tenant, effect.agentId) : head, effect.atMs, deps.now());
        break;
      case 'nudge_pool':
        // By way of the timers: dispatch never sends to its own queue.
        await deps.queues.nudgeAt(poolHead(tenant, effect.template), deps.now(), deps.now());
        break;
      default:
        effect satisfies never;
    }
  }
}
