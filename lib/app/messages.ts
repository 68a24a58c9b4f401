import type { Message } from '../domain/message.ts';
import type { TaskStatus } from '../domain/task.ts';
import type { RuntimeIdentity } from './claim.ts';
import type { Cause } from './commit.ts';
import type { Deps } from './deps.ts';
import { type Grip, heldTask } from './finish-task.ts';
import type { Page } from './ports.ts';
import { type KnownTask, listAgentTasks, submitTask } from './tasks.ts';

export interface SendMessage extends Omit<Message, 'from'> {
  body: unknown;
  /** Whether a paused agent starts for it. */
  wake: boolean;
}

/** Puts a message into an agent's queue, as a task. @throws RouseError not_found, agent_archived, agent_terminated */
export function sendMessage(
  deps: Deps,
  tenant: string,
  agentId: string,
  seed: string,
  { body, wake, ...message }: SendMessage,
  by: Cause,
): Promise<KnownTask> {
  const command = {
    input: body,
    output: { type: 'text' as const },
    priority: 0,
    onBusy: 'enqueue' as const,
    metadata: {},
    message: { ...message, from: by.actor },
    wakes: wake,
  };
  return submitTask(deps, tenant, agentId, seed, command, by);
}

/** Sends a message of a running attempt; a late twin sends none. @throws RouseError fence_lost, and those of sendMessage */
export async function sendFromTask(
  deps: Deps,
  me: RuntimeIdentity,
  grip: Grip,
  to: string,
  seed: string,
  message: SendMessage,
  by: Cause,
): Promise<KnownTask> {
  await heldTask(deps, me, grip);
  return sendMessage(deps, me.tenant, to, seed, message, by);
}

/** Those that were sent to an agent, newest first. */
export function listMessages(
  deps: Deps,
  tenant: string,
  agentId: string,
  statuses: readonly TaskStatus[],
  limit: number,
  before: string | undefined,
): Promise<Page<KnownTask>> {
  return listAgentTasks(deps, tenant, agentId, statuses, limit, before, ({ message }) => message !== undefined);
}
