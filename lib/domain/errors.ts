/**
 * Every error that a client or a shim can meet: its stable code, its HTTP status and its title.
 * The code is the contract; `detail` is a sentence for people and may change.
 */
export const errorCatalog = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  bad_request: { status: 400, title: 'The request cannot be understood' },
  unauthorized: { status: 401, title: 'A valid key or token is needed' },
  identity_refused: { status: 401, title: 'The identity of the runtime is not proven' },
  forbidden: { status: 403, title: 'The key may not do this' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  conflict: { status: 409, title: 'The request conflicts with the present state' },
  illegal_transition: { status: 409, title: 'Not possible in the present status' },
  tasks_running: { status: 409, title: 'Tasks are running' },
  template_in_use: { status: 409, title: 'Agents use the template' },
  budget_exceeded: { status: 409, title: 'The budget is used up' },
  limit_reached: { status: 409, title: 'A limit of the tenant is reached' },
  agent_busy: { status: 409, title: 'The agent is busy' },
  agent_archived: { status: 409, title: 'The agent is archived' },
  agent_terminated: { status: 409, title: 'The agent is terminated' },
  idempotency_conflict: { status: 409, title: 'The Idempotency-Key was used with another body' },
  idempotency_in_progress: { status: 409, title: 'The first request with this Idempotency-Key is still running' },
  fence_lost: { status: 409, title: 'The task has a newer fence' },
  runtime_replaced: { status: 409, title: 'Another runtime has the agent' },
  generation_conflict: { status: 409, title: 'The workspace has another generation' },
  too_large: { status: 413, title: 'Too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  invalid: { status: 422, title: 'Fields are invalid' },
  not_supported: { status: 422, title: 'Not supported yet' },
  workspace_unverified: { status: 422, title: 'The workspace could not be verified' },
  throttled: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof errorCatalog;

/** One thing that is wrong with the input. `path` is like `task.retry.maxSeconds` or `driver.command[0]`. */
export interface Issue {
  path: string;
  message: string;
}

export interface RouseErrorOptions {
  issues?: Issue[];
  /** Seconds after which it makes sense to try again; becomes `Retry-After`. */
  retryAfterSeconds?: number;
  /** More members of the problem document, e.g. `{ taskId }`. They never replace the standard ones. */
  extra?: Record<string, unknown>;
  cause?: unknown;
}

/** A failure that may be told to the caller as it is. Anything else that is thrown is an internal error. */
export class RouseError extends Error {
  override readonly name = 'RouseError';
  readonly code: ErrorCode;
  readonly issues: Issue[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly extra: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, detail: string, options: RouseErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options.issues;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.extra = options.extra;
  }

  get detail(): string {
    return this.message;
  }

  get status(): number {
    return errorCatalog[this.code].status;
  }
}

/** Tells whether `error` is a RouseError, and if `code` is given, whether it is that one. */
export function isRouseError(error: unknown, code?: ErrorCode): error is RouseError {
  return error instanceof RouseError && (code === undefined || error.code === code);
}

/** @param noun what is missing, e.g. `agent`, `template`. Says the same for an id that can't exist. */
export function notFound(noun: string, id: string): RouseError {
  return new RouseError('not_found', notFoundSentence(noun, id));
}

export function notFoundSentence(noun: string, id: string): string {
  const shown = id.length > 80 ? `${id.slice(0, 80)}…` : id;
  return `There is no ${noun} "${shown}".`;
}

export function conflict(detail: string, extra?: Record<string, unknown>): RouseError {
  return new RouseError('conflict', detail, extra && { extra });
}

export function unauthorized(detail: string): RouseError {
  return new RouseError('unauthorized', detail);
}

export function forbidden(detail: string): RouseError {
  return new RouseError('forbidden', detail);
}

/** An agent, task or run that is in `status` can't do `command`; `allowed` names the statuses in which it could. */
export function illegalTransition(
  noun: string,
  id: string,
  status: string,
  command: string,
  allowed?: readonly string[],
) {
  const hint = allowed?.length ? ` It can be done while it is ${allowed.join(', ')}.` : '';
  return new RouseError('illegal_transition', `The ${noun} "${id}" is ${status}: ${command} is not possible.${hint}`, {
    extra: { currentStatus: status },
  });
}

export function agentTerminated(agentId: string): RouseError {
  return new RouseError('agent_terminated', `The agent "${agentId}" is terminated. Create a new one.`);
}

export function agentArchived(agentId: string): RouseError {
  return new RouseError(
    'agent_archived',
    `The agent "${agentId}" is archived and takes no work. POST /v1/agents/${agentId}/restore takes it back.`,
  );
}

/** One field is wrong. For several use `new RouseError('invalid', …, { issues })`. */
export function invalid(path: string, message: string): RouseError {
  return new RouseError('invalid', `${path}: ${message}`, { issues: [{ path, message }] });
}

export function tooLarge(what: string, receivedBytes: number, allowedBytes: number): RouseError {
  return new RouseError('too_large', `${what} has ${receivedBytes} bytes; at most ${allowedBytes} are allowed.`);
}

export function fenceLost(taskId: string, fence: number): RouseError {
  return new RouseError(
    'fence_lost',
    `Fence ${fence} of the task "${taskId}" is not the current one. Stop working on it.`,
  );
}

export function runtimeReplaced(runtimeId: string): RouseError {
  return new RouseError(
    'runtime_replaced',
    `The runtime "${runtimeId}" no longer has its agent. Stop everything and exit.`,
  );
}

export function throttled(detail: string, retryAfterSeconds = 1): RouseError {
  return new RouseError('throttled', detail, { retryAfterSeconds });
}

export function unavailable(detail: string, retryAfterSeconds = 1, cause?: unknown): RouseError {
  return new RouseError('unavailable', detail, { retryAfterSeconds, cause });
}

/** Characters of an error that a head's row keeps: it may hold a hundred, and is one item of 400 KB (aws-facts 3). */
const longestMessage = 500;

/** An error as the head's row of what has to do with it keeps it. Where it came from may have more to say. */
export function brief<E extends { message: string }>(error: E): E {
  const { message } = error;
  return message.length > longestMessage ? { ...error, message: `${message.slice(0, longestMessage)}…` } : error;
}
