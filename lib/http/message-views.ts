import type { KnownTask } from '../app/tasks.ts';
import { type Message, messageIdOf } from '../domain/message.ts';
import type { MessageResource } from './schemas/message.ts';

/** What a task that came as a message says of it. */
export function taskMessageView(taskId: string, { from, topic, replyTo }: Message) {
  return { id: messageIdOf(taskId), from, topic: topic ?? null, replyTo: replyTo ?? null };
}

/** @param status of its task, as the task itself shows it */
export function messageView(
  { record }: KnownTask,
  { status, finishedAt, createdAt }: Pick<MessageResource, 'status' | 'finishedAt' | 'createdAt'>,
): MessageResource {
  if (!record.message) throw new Error(`Task ${record.id} did not come as a message.`);
  const { agentId, id: taskId } = record;
  return { ...taskMessageView(taskId, record.message), agentId, taskId, status, createdAt, finishedAt };
}
