/** How often and how fast a task is tried again. Only failures that the task is to blame for count. */
export interface RetryPolicy {
  initialSeconds: number;
  coefficient: number;
  maxSeconds: number;
  /** Error codes that are not tried again. */
  nonRetryable: readonly string[];
}

/** EX_TEMPFAIL of sysexits.h: a command says with it that trying again will help, whatever the policy says. */
const temporaryFailure = 'exit_75';

/** What is not there will not be there a second later either. */
const hopeless = 'command_not_found';

export interface FailedAttempt {
  code: string;
  /** Failures so far, this one included. */
  failures: number;
  maxAttempts: number;
  /** The attempt's own wish for the delay. */
  retryAfterSeconds?: number | undefined;
}

/** Milliseconds to wait before the next attempt, or undefined when there is none. */
export function retryDelayMs(policy: RetryPolicy, attempt: FailedAttempt): number | undefined {
  if (attempt.failures >= attempt.maxAttempts) return undefined;
  const isExcluded = attempt.code === hopeless || policy.nonRetryable.includes(attempt.code);
  if (attempt.code !== temporaryFailure && isExcluded) return undefined;
  const seconds = attempt.retryAfterSeconds ?? policy.initialSeconds * policy.coefficient ** (attempt.failures - 1);
  return Math.round(Math.min(seconds, Math.max(policy.maxSeconds, attempt.retryAfterSeconds ?? 0)) * 1000);
}
