import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { describeError } from './log.ts';
import type {
  DamageReport,
  Enrolment,
  Failure,
  GenerationReport,
  Instructions,
  LogLine,
  OutgoingMessage,
  Renewal,
  Settled,
  StandbyEnrolment,
  StopReason,
  TaskOutput,
  Usage,
  WorkspacePointer,
} from './protocol.ts';

/** The API refused a request for good. `code` is the stable one of problem+json. */
export class RefusedError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.name = 'RefusedError';
    this.status = status;
    this.code = code;
  }
}

/** Another attempt has the task: its processes here must die, and nothing of it may be reported. */
export class FenceLostError extends RefusedError {}

/** This runtime is no longer the agent's (`runtime_replaced`) or no longer trusted (401): kill everything and exit. */
export class DisplacedError extends RefusedError {}

/** The API did not answer for as long as the caller was ready to wait. */
export class UnreachableError extends Error {}

export type TaskAddress = { id: string; fence: number; place: string };

export type CallOptions = {
  /** For how long network errors, 429 and 5xx are tried again. 0: a single try. Default 10 minutes. */
  patienceMs?: number;
  signal?: AbortSignal;
  /** Of a call that is not safe to repeat without one. */
  idempotencyKey?: string;
};

export interface ClientDependencies {
  apiUrl: string;
  fetch: typeof fetch;
  clock: Clock;
  /** Called once for whichever call first learns that this runtime is displaced. */
  onDisplaced?: (error: DisplacedError) => void;
}

const defaultPatienceMs = 10 * 60_000;
/** What the API takes, in characters. */
const mostMessageLength = 16_384;
const mostDetailLength = 4_096;
/** The runtime function itself gives up after 29 s. */
const callTimeoutMs = 32_000;

export type RuntimeClient = ReturnType<typeof makeRuntimeClient>;

/** The runtime protocol as functions. All of them are safe to repeat, so all of them are tried again. */
export function makeRuntimeClient(deps: ClientDependencies) {
  let token: string | null = null;
  let lastAnswerAt = deps.clock.now();
  let displaced = false;

  async function once(path: string, body: object, { signal, idempotencyKey }: CallOptions): Promise<Response> {
    const timeout = AbortSignal.timeout(callTimeoutMs);
    return await deps.fetch(`${deps.apiUrl}/v1/runtime/${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  }

  /** One try: the parsed answer, or the reason to try again with the delay that the server asked for. */
  async function attempt<T>(path: string, body: object, options: CallOptions): Promise<{ answer: T } | Retry> {
    let response: Response;
    let text: string;
    try {
      response = await once(path, body, options);
      text = await response.text();
    } catch (error) {
      return { retryBecause: describeError(error), afterMs: 0 };
    }
    if (response.status === 429 || response.status >= 500) {
      const retryAfterSeconds = Number(response.headers.get('retry-after')) || 0;
      return { retryBecause: `HTTP ${response.status}`, afterMs: retryAfterSeconds * 1000 };
    }
    lastAnswerAt = deps.clock.now();
    if (response.ok) return { answer: parse(text) as T };
    throw refusal(response.status, text);
  }

  async function call<T>(path: string, body: object, options: CallOptions = {}): Promise<T> {
    const { patienceMs = defaultPatienceMs, signal } = options;
    const until = deps.clock.now() + patienceMs;
    for (let tries = 1; ; tries++) {
      const result = await attempt<T>(path, body, options).catch((error) => {
        if (error instanceof DisplacedError && !displaced) {
          displaced = true;
          deps.onDisplaced?.(error);
        }
        throw error;
      });
      if ('answer' in result) return result.answer;
      const delayMs = Math.max(backoffMs(tries), result.afterMs);
      if (signal?.aborted || deps.clock.now() + delayMs > until) {
        throw new UnreachableError(
          `The API gave no answer to ${path} in ${tries} ${tries === 1 ? 'try' : 'tries'}; the last one ended with: ${result.retryBecause}.`,
        );
      }
      await deps.clock.sleep(delayMs, signal);
    }
  }

  const onTask = (task: TaskAddress, verb: string) => `tasks/${encodeURIComponent(task.id)}/${verb}`;
  const held = (task: TaskAddress) => ({ fence: task.fence, place: task.place });

  return {
    /** When the API last gave an answer that was not a failure of its own, in milliseconds since the epoch. */
    lastAnswerAt: () => lastAnswerAt,
    useToken(value: string) {
      token = value;
    },
    enroll: (body: object, options?: CallOptions) => call<Enrolment | StandbyEnrolment>('enroll', body, options),
    standby: (options?: CallOptions) => call<{ taken: boolean }>('standby', {}, options),
    renew: (nonce: string, options?: CallOptions) => call<Renewal>('credentials', { nonce }, options),
    claim: (slots: number, running: { taskId: string; fence: number }[], options?: CallOptions) =>
      call<Instructions>('claim', { slots, running }, options),
    heartbeat: (task: TaskAddress, usage: Usage, options?: CallOptions) =>
      call<{ cancel: boolean; force?: boolean; leaseUntil: string }>(
        onTask(task, 'heartbeat'),
        { ...held(task), usage },
        options,
      ),
    events: (task: TaskAddress, lines: LogLine[], progress: { progress?: unknown }, options?: CallOptions) =>
      call<{ accepted: number }>(onTask(task, 'events'), { ...held(task), lines, ...progress }, options),
    complete: (
      task: TaskAddress,
      output: TaskOutput,
      lines: LogLine[],
      usage: Usage,
      slots: number,
      options?: CallOptions,
    ) => call<Settled>(onTask(task, 'complete'), { ...held(task), ...output, lines, usage, slots }, options),
    fail: (task: TaskAddress, failure: Failure, lines: LogLine[], usage: Usage, slots: number, options?: CallOptions) =>
      call<Settled>(
        onTask(task, 'fail'),
        { ...held(task), ...failure, message: failure.message.slice(0, mostMessageLength), lines, usage, slots },
        options,
      ),
    release: (task: TaskAddress, reason: string, usage: Usage, slots: number, options?: CallOptions) =>
      call<Settled>(onTask(task, 'release'), { ...held(task), reason, usage, slots }, options),
    outputUrl: (task: TaskAddress, what: 'output' | 'exports', bytes: number, options?: CallOptions) =>
      call<{ key: string; url: string }>(
        `outputs/${encodeURIComponent(task.id)}`,
        { ...held(task), what, bytes },
        options,
      ),
    workspace: (report: GenerationReport, options?: CallOptions) =>
      call<{ generation: number }>('workspace', report, options),
    workspaceDamaged: (report: DamageReport, options?: CallOptions) =>
      call<{ workspace: WorkspacePointer | null }>('workspace/damaged', report, options),
    /** @param n which message of the attempt it is: the API takes each once */
    send: (task: TaskAddress, n: number, message: OutgoingMessage, options?: CallOptions) =>
      call<{ id: string }>(
        'messages',
        { ...message, taskId: task.id, ...held(task) },
        { ...options, idempotencyKey: `${task.id}-${task.fence}-${n}` },
      ),
    activity: (seconds: number, options?: CallOptions) => call<{ until: string }>('activity', { seconds }, options),
    stop: (reason: StopReason, detail: string | undefined, options?: CallOptions) =>
      call<{ stop: boolean; instructions: Instructions }>(
        'stop',
        detail === undefined ? { reason } : { reason, detail: detail.slice(0, mostDetailLength) },
        options,
      ),
  };
}

type Retry = { retryBecause: string; afterMs: number };

function parse(text: string): unknown {
  return text === '' ? {} : JSON.parse(text);
}

function refusal(status: number, text: string): RefusedError {
  let problem: { code?: string; detail?: string; title?: string; issues?: { path: string; message: string }[] } = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // A proxy's error page: the status says enough.
  }
  const code = problem.code ?? `http_${status}`;
  const issues = problem.issues?.map(({ path, message }) => `${path}: ${message}`).join(' ');
  const detail = issues || (problem.detail ?? problem.title ?? `The API answered HTTP ${status}.`);
  if (status === 401 || code === 'runtime_replaced') return new DisplacedError(status, code, detail);
  if (code === 'fence_lost') return new FenceLostError(status, code, detail);
  return new RefusedError(status, code, detail);
}
