import type { Agent } from '../domain/agent.ts';
import type { Budget } from '../domain/budget.ts';
import type { Usage } from '../domain/cost.ts';
import type { CarriedEvent, RecordedEvent } from '../domain/event.ts';
import type { Fleet } from '../domain/fleet.ts';
import type { HeadRef } from '../domain/head.ts';
import type { Message } from '../domain/message.ts';
import type { Parent } from '../domain/parent.ts';
import type { FinalStatus, LiveTask, TaskError } from '../domain/task.ts';
import type { OwnedRuntime } from './runtime-ports.ts';

export type * from './runtime-ports.ts';

/** What the use cases need from the world. `lib/aws` provides it; writes that lose a race throw {@link Conflict}. */

/** A conditional write found another version than the caller had read: load again and decide again. */
export class Conflict extends Error {
  constructor(what: string) {
    super(`${what} was changed by somebody else at the same time.`);
  }
}

export interface Page<T> {
  items: T[];
  /** Where the next page starts, or undefined at the end. */
  next: string | undefined;
}

export interface Agents {
  get(tenant: string, agentId: string, options: { strong: boolean }): Promise<Agent | undefined>;
  /**
   * @throws Conflict when an agent with this id, or with the same partition, exists.
   * @throws RouseError limit_reached when the tenant has as many agents as it may have
   */
  create(agent: Agent, events: CarriedEvent[]): Promise<void>;
  /** A terminated agent counts no more; doing it twice is doing it once. */
  uncount(tenant: string, agentId: string): Promise<void>;
  /** Counts the agents of one page of their list that are not counted yet, and those no more that have ended. @returns the next page */
  recount(tenant: string, limit: number, before: string | undefined): Promise<string | undefined>;
  /** Writes what differs, if the head still is what `before` says. */
  commit(before: Agent, after: Agent, events: CarriedEvent[]): Promise<void>;
  /** Says that the agent's shim saw an empty queue, or no longer waits. Only for the enrolled runtime; false if it is another. */
  setWaiting(agent: Agent, waiting: boolean): Promise<boolean>;
  /** Forgets how long leases have kept the agent active: a task has come between. Only for the enrolled runtime. */
  restartActivity(agent: Agent): Promise<void>;
  /** Newest first. */
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<Agent>>;
}

/** What has to be looked at some time, whatever it is. */
export interface DueHeads {
  /** Heads of one shard that are due, the longest due first. */
  due(shard: number, nowMs: number, limit: number): Promise<HeadRef[]>;
  /** Makes a head due at `dueAtMs` unless it is due before, or does not exist. */
  lower(head: HeadRef, dueAtMs: number): Promise<void>;
}

/** What a task of the step gave, for this folder of the workspace: the root unless given. */
export interface Import {
  step: string;
  key: string;
  folder?: string | undefined;
}

export interface TaskRecord {
  id: string;
  agentId: string;
  tenant: string;
  place: number;
  priority: number;
  input?: unknown;
  inputKey?: string | undefined;
  /** What the answer has to be. */
  expects: { type: 'text' | 'json' | 'files'; schema?: unknown; files?: string[] | undefined };
  metadata?: Record<string, unknown> | undefined;
  maxAttempts: number;
  timeoutSeconds: number;
  budget?: Budget | undefined;
  createdMs: number;
  retryOf?: string | undefined;
  parent?: Parent | undefined;
  /** It came as a message. */
  message?: Message | undefined;
  /** Patterns of the files that it gives to others. */
  exports?: string[] | undefined;
  /** Files of other tasks that it gets before it runs. */
  imports?: Import[] | undefined;

  /** Present once the task is finished. */
  status?: FinalStatus | undefined;
  output?: unknown;
  outputKey?: string | undefined;
  outputBytes?: number | undefined;
  exportsKey?: string | undefined;
  error?: TaskError | undefined;
  usage?: Partial<Usage> | undefined;
  generation?: number | undefined;
  attempt?: number | undefined;
  failures?: number | undefined;
  startedMs?: number | undefined;
  finishedMs?: number | undefined;
  progress?: unknown;
}

export interface Tasks {
  /** Puts record and live row, in this order; doing it twice is doing it once. */
  submit(record: TaskRecord, live: LiveTask, events: CarriedEvent[]): Promise<void>;
  record(tenant: string, taskId: string): Promise<TaskRecord | undefined>;
  records(tenant: string, taskIds: string[]): Promise<TaskRecord[]>;
  live(tenant: string, agentId: string, place: number, taskId: string): Promise<LiveTask | undefined>;
  /** Those live rows that are there, strongly consistent. */
  lives(tenant: string, tasks: readonly { agentId: string; place: number; id: string }[]): Promise<LiveTask[]>;
  /** Unfinished tasks of an agent in the order of its queue, strongly consistent, a page at a time. */
  queue(tenant: string, agentId: string, limit?: number): AsyncIterable<LiveTask[]>;
  commit(before: LiveTask, after: LiveTask, events: CarriedEvent[]): Promise<void>;
  /** @param used by the attempt until now. @returns the row as it is now. @throws Conflict when the fence is not current. */
  extendLease(task: Held, leaseUntilMs: number, used?: Usage): Promise<LiveTask>;
  /** Keeps a large output in the record before the commit that makes it count. */
  draftOutput(tenant: string, taskId: string, fence: number, output: unknown): Promise<void>;
  setProgress(tenant: string, taskId: string, progress: unknown): Promise<void>;
  /** Removes a live row as it is, without any event. */
  forget(live: LiveTask): Promise<void>;
  /** Writes the outcome of a finished live row to its record and deletes the row. Safe to repeat. */
  settle(finished: LiveTask): Promise<void>;
  /** Records of an agent, newest first. */
  pageOfAgent(tenant: string, agentId: string, limit: number, before: string | undefined): Promise<Page<TaskRecord>>;
  /** Records of a tenant, newest first. */
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<TaskRecord>>;
  /** Live rows of a tenant's unfinished tasks, newest first. */
  pageOfOpen(tenant: string, limit: number, before: string | undefined): Promise<Page<LiveTask>>;
}

export interface Held {
  tenant: string;
  agentId: string;
  id: string;
  place: number;
  attempt: number;
  runtimeId: string;
}

/** A template version with what it became on ECS. */
export interface TemplateVersion {
  name: string;
  version: number;
  /** The complete specification, defaults filled in. */
  spec: TemplateSpec;
  taskDefinitionArn: string;
  taskRoleArn: string;
  /** Of all that its task definition was made from. */
  definitionHash?: string | undefined;
  createdMs: number;
}

export type Driver = { type: 'command'; command: string[] } | { type: 'module'; path: string };

/** What the use cases read of a template's specification (see `lib/http/schemas/template.ts`). */
export interface TemplateSpec {
  description: string;
  /** null: the built-in image. */
  image: string | null;
  driver: Driver;
  cpu: number;
  memoryMiB: number;
  architecture: 'arm64' | 'x86_64';
  capacity: 'on-demand' | 'spot';
  env: Record<string, string>;
  secrets: Record<string, string>;
  taskRoleArn: string | null;
  user: string;
  idleTimeoutSeconds: number;
  maxLifetimeSeconds: number;
  stopTimeoutSeconds: number;
  cancelGraceSeconds: number;
  concurrency: number;
  task: {
    timeoutSeconds: number;
    maxAttempts: number;
    heartbeatSeconds: number;
    budget: Budget;
    retry: { initialSeconds: number; coefficient: number; maxSeconds: number; nonRetryable: string[] };
  };
  workspace: { enabled: boolean; keepGenerations: number; save: 'task' | 'stop'; minSaveIntervalSeconds: number };
  /** Of an agent in its whole life. */
  budget: Budget;
  warmPool: number;
  labels: Record<string, string>;
}

export interface Templates {
  /** The current version of a template, or a given one. Versions never change and are cached. */
  get(tenant: string, name: string, version?: number): Promise<TemplateVersion | undefined>;
  /** The highest version that ever was, also of a template that has been deleted; 0 if there was none. */
  lastVersion(tenant: string, name: string): Promise<number>;
  /** @throws Conflict when somebody else put a version meanwhile. */
  put(tenant: string, version: TemplateVersion): Promise<void>;
  page(tenant: string, limit: number, before: string | undefined): Promise<Page<TemplateVersion>>;
  delete(tenant: string, name: string): Promise<void>;
  /** Remembers that an agent is made from a template; doing it twice is doing it once. */
  addUser(tenant: string, name: string, agentId: string): Promise<void>;
  removeUser(tenant: string, name: string, agentId: string): Promise<void>;
  /** Some agents that are made from it. */
  users(tenant: string, name: string, limit: number): Promise<string[]>;
}

export interface TaskDefinitions {
  /** Of all that a task definition of this template would be made from. */
  hash(template: { tenant: string; name: string; spec: TemplateSpec }): string;
  /** @throws RouseError invalid when ECS refuses it. */
  register(template: { tenant: string; name: string; spec: TemplateSpec }): Promise<{
    taskDefinitionArn: string;
    taskRoleArn: string;
  }>;
}

/** "Look at this": all that a queue ever says. */
export type Nudge = HeadRef;

export interface Queues {
  /** To `work.fifo`, one group a head, each with its own dedupe id. */
  nudge(nudges: Nudge[]): Promise<void>;
  /** To `work.fifo` by way of the timers queue, at `atMs` (at most 15 minutes ahead; later ones are left to the sweep). */
  nudgeAt(nudge: Nudge, atMs: number, nowMs: number): Promise<void>;
  /** An intent to launch, of the head that wants the runtime; `again` makes it another one than those before. */
  requestLaunch(head: HeadRef, runtimeId: string, again?: string): Promise<void>;
  /** What failed too often, a bounded number of messages; one that is not removed comes again. */
  deadLetters(): AsyncIterable<{ body: string; remove(): Promise<void> }>;
  /** Makes the bell of a runtime. */
  createBell(runtime: OwnedRuntime): Promise<void>;
  ring(runtimeId: string): Promise<void>;
  deleteBell(runtimeId: string): Promise<void>;
  bellUrl(runtimeId: string): string;
  /** Runtimes that have a bell, a page at a time. */
  bells(cursor: string | undefined): Promise<Page<string>>;
}

export interface Objects {
  put(key: string, body: string, contentType: string): Promise<void>;
  get(key: string): Promise<Uint8Array | undefined>;
  /** An object as text, with what its writer said that it is. */
  read(key: string): Promise<{ text: string; contentType: string } | undefined>;
  head(key: string): Promise<{ bytes: number } | undefined>;
  presignGet(key: string, expiresInSeconds: number): Promise<string>;
  presignPut(key: string, expiresInSeconds: number): Promise<string>;
  /** Copies an object of up to 5 GB inside the bucket. */
  copy(from: string, to: string): Promise<void>;
  /** Begins to put an object together from parts. @returns the upload's id */
  startParts(to: string): Promise<string>;
  /** Copies a range of an object, `end` left out, as a part. @returns its ETag */
  copyPart(
    from: string,
    to: string,
    uploadId: string,
    number: number,
    range: { start: number; end: number },
  ): Promise<string>;
  /** Puts the parts together; done before is done. @returns false when the upload is not known (any more) */
  finishParts(to: string, uploadId: string, etags: string[], bytes: number): Promise<boolean>;
  /** Keys under a prefix, oldest name first, a page at a time. */
  list(prefix: string): AsyncIterable<string[]>;
  /** One page of a thousand, with when each was put; `after` is the `next` of the page before. */
  page(prefix: string, after: string | undefined): Promise<Page<{ key: string; changedMs: number }>>;
  delete(keys: string[]): Promise<void>;
}

export interface Fleets {
  get(tenant: string): Promise<Fleet | undefined>;
  /** Puts it unless it exists. */
  create(fleet: Fleet): Promise<void>;
  /** Writes what differs, if nobody else has written meanwhile. */
  commit(before: Fleet, after: Fleet, events: CarriedEvent[]): Promise<void>;
}

export interface EventQuery {
  limit: number;
  /** Cursor of an earlier page. */
  after: string | undefined;
}

export interface EventLog {
  /**
   * Appends what is new of what a head's rows have told, in order.
   * @returns all of them as they are recorded, also those that had been before: whoever publishes them may have died
   */
  append(head: HeadRef, records: StreamedEvents[], nowMs: number): Promise<RecordedEvent[]>;
  of(head: HeadRef, query: EventQuery): Promise<Page<RecordedEvent> & { cursor: string | undefined }>;
  /** Of all heads, in the order in which they were recorded; a little behind, so that nothing is overtaken. */
  ofTenant(
    tenant: string,
    query: EventQuery,
    nowMs: number,
  ): Promise<Page<RecordedEvent> & { cursor: string | undefined }>;
}

/** The events that one write of one row carried. */
export interface StreamedEvents {
  /** Position in the stream. */
  sequence: string;
  taskId?: string | undefined;
  runId?: string | undefined;
  rowVersion: number;
  events: CarriedEvent[];
}

export interface LogLine {
  time: string;
  stream: 'stdout' | 'stderr' | 'system';
  line: string;
}

export interface TaskLogs {
  append(tenant: string, agentId: string, taskId: string, lines: LogLine[], nowMs: number): Promise<void>;
  page(
    tenant: string,
    agentId: string,
    query: { taskId?: string | undefined; limit: number; after: string | undefined },
  ): Promise<{ items: (LogLine & { taskId: string })[]; cursor: string | undefined }>;
}

export interface ApiKey {
  id: string;
  tenant: string;
  name: string;
  role: 'admin' | 'member' | 'viewer';
  expiresMs?: number | undefined;
}

export interface ApiKeys {
  find(keyHash: string): Promise<ApiKey | undefined>;
  /** Puts it unless it exists. */
  put(keyHash: string, key: ApiKey): Promise<void>;
}

export interface Waiters {
  /** Counts one more waiting reader in this moment; false when there are too many. */
  enter(nowMs: number): Promise<boolean>;
}

export interface Parameters {
  get(name: string): Promise<string | undefined>;
  /** Makes a secret parameter; false if it exists. */
  create(name: string, value: string): Promise<boolean>;
}

/** Short-lived AWS credentials. */
export interface AwsCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: string;
}

export interface Identities {
  /** Asks STS who signed this request; undefined when it refuses. */
  verify(request: { headers: Record<string, string>; body: string }): Promise<{ arn: string } | undefined>;
  /** Credentials of the agents' role for one runtime, with its tags. */
  credentialsFor(runtime: { tenant: string; agentId?: string | undefined; id: string }): Promise<AwsCredentials>;
}

/** One log line at INFO for a change of state, at WARN or ERROR for what should not be. */
export interface Logger {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** Adds to metrics of the stack; the fields say what it was, in the log only. */
  count(counts: Record<string, number>, stack: string, fields?: Record<string, unknown>): void;
}
