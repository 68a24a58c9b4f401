import { errorCatalog, RouseError } from '../domain/errors.ts';
import type { HttpResult } from './request.ts';
import type { Problem } from './schemas/problem.ts';

/** Headers that every answer has. Nothing here may be cached: it is somebody's state at this moment. */
export function commonHeaders(requestId: string): Record<string, string> {
  return { 'x-request-id': requestId, 'cache-control': 'no-store' };
}

/** The problem document of an error. A 5xx says nothing of the inside but `unavailable`'s own sentence. */
export function problemOf(error: RouseError, requestId: string): Problem {
  const { status, title } = errorCatalog[error.code];
  return {
    ...error.extra,
    type: `urn:rouse:problem:${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.detail,
    requestId,
    ...(error.issues && { issues: error.issues }),
  };
}

/** What the caller learns of an error that nobody expected: only the id to ask about. */
export function internalError(requestId: string, cause: unknown): RouseError {
  return new RouseError('internal', `Something went wrong inside. The request id is ${requestId}.`, { cause });
}

export function problemResult(error: RouseError, requestId: string, headers: Record<string, string> = {}): HttpResult {
  const problem = problemOf(error, requestId);
  const retryAfter = error.retryAfterSeconds ?? (problem.status === 429 || problem.status === 503 ? 1 : undefined);
  return {
    statusCode: problem.status,
    headers: {
      ...commonHeaders(requestId),
      'content-type': 'application/problem+json',
      ...(retryAfter !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
      ...(problem.status === 401 && { 'www-authenticate': 'Bearer' }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}
