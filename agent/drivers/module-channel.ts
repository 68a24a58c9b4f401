import type { Json, Message, OutgoingMessage, OutputSpec } from '../protocol.ts';
import type { Spent } from './driver.ts';

/** What `run(task, ctx)` of a module gets as `task`. */
export interface ModuleTask {
  id: string;
  input: Json;
  metadata: Record<string, Json>;
  output: OutputSpec;
  /** The message as which it came; its body is the input. null: it was given as a task. */
  message: Message | null;
  /** Why the attempt before this one failed, such as `output_invalid` with what did not fit the schema; null on the first. */
  lastError: { code: string; message: string } | null;
}

/** What `run(task, ctx)` of a module gets as `ctx`. */
export interface ModuleContext {
  taskId: string;
  agentId: string;
  /** Rises with every claim of the task; the first is 1. */
  attempt: number;
  /** Absolute path of the agent's files; also the working directory. */
  workspace: string;
  /** Aborts when the task is cancelled, times out or its container stops; SIGKILL follows after the grace. */
  signal: AbortSignal;
  /** Adds a line to the task's log. */
  log(line: string): void;
  /** Shows any JSON value as the task's `progress`. */
  progress(value: Json): void;
  /**
   * Keeps the agent from idling for so many seconds from now on, also after this task: up to an hour, and up to four
   * hours in a row without a task.
   */
  activity(seconds: number): void;
  /**
   * Sends another agent a message, which it takes as a task with `body` as the input. Resolves when the message is in its
   * queue; rejects with a sentence when there is no such agent. The task does not end before its messages are sent. An
   * attempt that is tried again sends its messages again.
   */
  send(message: OutgoingMessage): Promise<{ id: string }>;
  /**
   * Adds to the task's usage: tokens, and dollars that they cost. Beyond the task's budget the task ends: `signal` aborts,
   * and SIGKILL follows after the grace.
   */
  tokens(spent: Partial<Spent>): void;
}

/** The runner's order: the first that it is told. */
export interface Order {
  path: string;
  task: ModuleTask;
  context: Pick<ModuleContext, 'agentId' | 'attempt' | 'workspace'>;
}

/** What became of the n-th `ctx.send()`. */
export type Sent = { n: number } & ({ id: string } | { refused: string });

export type FromRunner =
  | { type: 'log'; line: string }
  | { type: 'progress'; value: Json }
  | { type: 'activity'; seconds: number }
  | { type: 'tokens'; spent: Spent }
  | { type: 'send'; n: number; message: OutgoingMessage }
  | { type: 'returned'; value: Json }
  | { type: 'threw'; message: string; code?: string; retryAfterSeconds?: number };
