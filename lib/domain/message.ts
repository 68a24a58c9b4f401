import type { Actor } from './event.ts';
import { idOf } from './id.ts';

/**
 * What somebody has told an agent. The agent takes its messages one after the other, as tasks: so a message waits,
 * wakes, is tried again and is known to have been taken like any other work.
 */
export interface Message {
  from: Actor;
  topic?: string | undefined;
  /** The agent that an answer should go to. */
  replyTo?: string | undefined;
}

/** A message and its task are made from the same ULID. */
export function messageIdOf(taskId: string): string {
  return idOf('message', taskId.slice(taskId.indexOf('_') + 1));
}
