import type { Clock } from '../clock.ts';
import type { ClaimedTask, Failure, Json, LogLine, OutgoingMessage, RuntimeConfig } from '../protocol.ts';
import type { DriverUser } from './user.ts';

/** Where a driver runs: the same for all tasks of a runtime. */
export interface DriverSetting {
  config: RuntimeConfig;
  agentId: string;
  runtimeId: string;
  /** Absolute path; the working directory of what runs. */
  workspace: string;
  moduleRoot: string;
  /** The shim's own script, which is also the module runner's. */
  entry: string;
  containerEnv: NodeJS.ProcessEnv;
  /** Whom the program runs as; null: as the shim. */
  user: DriverUser | null;
  pidsFile: string | undefined;
  clock: Clock;
}

/** What a program has spent since it last said so: tokens, and dollars that nobody else knows of. */
export interface Spent {
  input: number;
  output: number;
  costUsd: number;
}

/** What a task gives its driver, and hears from it. */
export interface DriverTask {
  task: ClaimedTask;
  /** A string goes to the program as it is, bytes as they are, anything else as JSON. */
  input: Json | Buffer;
  /** Logs a line; false when no more are wanted. */
  onLine(stream: LogLine['stream'], line: string): boolean;
  onProgress(value: Json): void;
  onActivity(seconds: number): void;
  onSpent(spent: Spent): void;
  /** Sends a message, after those before it. @throws Error that says why the API does not take it */
  onSend(message: OutgoingMessage): Promise<{ id: string }>;
}

/** What a driver ended with. Bytes are what a program wrote; a value is what a module returned. */
export type DriverOutcome = { bytes: Buffer[] } | { value: Json } | { failure: Failure };

export interface DriverRun {
  /** Settles when the program has ended and nothing of it is left. Never rejects. */
  outcome: Promise<DriverOutcome>;
  /** SIGTERM, `graceMs`, SIGKILL; the outcome settles afterwards. */
  end(graceMs: number): void;
  /** SIGKILL at once. */
  kill(): void;
}

export type Driver = (setting: DriverSetting, task: DriverTask) => DriverRun;

/** The most that a task may answer with: 100 MB, as `api.md` says of inputs. */
export const mostOutputBytes = 100_000_000;
