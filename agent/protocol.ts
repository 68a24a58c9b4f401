/** The runtime protocol as the shim sees it; `docs/architecture.md` is its specification. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type DriverConfig = { type: 'command'; command: string[] } | { type: 'module'; path: string };

export interface RuntimeConfig {
  driver: DriverConfig;
  env: Record<string, string>;
  user: string | null;
  concurrency: number;
  idleTimeoutSeconds: number;
  maxLifetimeSeconds: number;
  stopTimeoutSeconds: number;
  cancelGraceSeconds: number;
  heartbeatSeconds: number;
  workspace: { enabled: boolean; save: 'task' | 'stop'; minSaveIntervalSeconds: number };
}

export interface BrokeredCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: string;
}

export interface WorkspacePointer {
  generation: number;
  manifestKey: string;
  manifestSha256: string;
  /** The highest number that a generation of the agent ever had; the next one is above it. */
  lastGeneration: number;
}

export interface DamageReport {
  generation: number;
  missing: boolean;
  detail: string;
}

export interface Storage {
  bucket: string;
  readPrefix: string;
  writePrefix: string;
}

export interface Enrolment {
  token: string;
  tokenExpiresAt: string;
  tenant: string;
  agent: { id: string; name: string };
  runtime: { id: string; startedAt: string };
  config: RuntimeConfig;
  credentials: BrokeredCredentials;
  bell: { queueUrl: string };
  storage: Storage;
  workspace: WorkspacePointer | null;
  maxInlineBytes: number;
}

/** It is no agent's yet, and may only wait. */
export interface StandbyEnrolment {
  standby: true;
  token: string;
  tokenExpiresAt: string;
  credentials: BrokeredCredentials;
  bell: { queueUrl: string };
}

export interface Renewal {
  token: string;
  tokenExpiresAt: string;
  credentials: BrokeredCredentials;
}

export interface OutputSpec {
  type: 'text' | 'json' | 'files';
  schema?: Record<string, unknown> | boolean;
  files?: string[];
}

export interface ClaimedTask {
  id: string;
  fence: number;
  place: string;
  input?: Json;
  inputUrl?: string;
  output?: OutputSpec | null;
  timeoutSeconds: number;
  leaseSeconds: number;
  /** What a second of the attempt costs. */
  usdPerSecond?: number;
  /** What all its attempts may use before it has to end. */
  budget?: BudgetState;
  metadata?: Record<string, Json> | null;
  /** The message as which it came. */
  message?: Message | null;
  /** Files to give to others: patterns. */
  exports?: string[];
  /** Files to bring into the workspace before it runs. */
  imports?: SharedFiles[];
  /** Why the attempt before this one failed. */
  lastError?: { code: string; message: string } | null;
}

/** What somebody has told the agent; its body is the task's input. */
export interface Message {
  id: string;
  from: { type: 'key' | 'agent' | 'schedule' | 'system'; id: string };
  topic: string | null;
  /** The agent that an answer should go to. */
  replyTo: string | null;
}

/** What a task tells another agent. */
export interface OutgoingMessage {
  to: string;
  body: Json;
  topic?: string;
  replyTo?: string;
  /** false: a paused agent gets it when it next runs for something else. */
  wake?: boolean;
}

/** What a task of another step gave: a pack of files, for this folder of the workspace. */
export interface SharedFiles {
  step: string;
  url: string;
  folder: string | null;
}

export type StopOrder = { reason: string; force: boolean };

export interface Instructions {
  tasks: ClaimedTask[];
  cancel: { taskId: string; fence: number; force?: boolean }[];
  stop: StopOrder | null;
  nextDueAt: string | null;
  /** Until when activity leases keep the agent from idling. */
  activeUntil: string | null;
  /** What the agent may use before its tasks have to end. */
  budget?: BudgetState;
}

export interface Amounts {
  tokens: number;
  costUsd: number;
}

export interface BudgetState {
  limits: Partial<Amounts>;
  /** By attempts that have ended. */
  used: Amounts;
}

export interface LogLine {
  time: string;
  stream: 'stdout' | 'stderr' | 'system';
  line: string;
}

export interface Usage {
  wallSeconds: number;
  vcpuSeconds: number;
  memoryGiBSeconds: number;
  inputTokens: number;
  outputTokens: number;
  reportedCostUsd: number;
}

export type TaskOutput = ({ output: Json } | { outputRef: { key: string; bytes: number } }) & {
  exportsRef?: { key: string; bytes: number };
};

export interface Failure {
  code: string;
  message: string;
  retryAfterSeconds?: number;
}

export interface Settled {
  status: string;
  instructions: Instructions;
}

export interface GenerationReport {
  generation: number;
  parent: number | null;
  manifestKey: string;
  manifestSha256: string;
  bytes: number;
  files: number;
}

export type StopReason = 'idle' | 'requested' | 'lifetime' | 'signal' | 'workspace_failed';
