import { describe, expect, it } from 'vitest';
import { type FailedAttempt, type RetryPolicy, retryDelayMs } from '../../lib/domain/retry.ts';

const policy: RetryPolicy = { initialSeconds: 1, coefficient: 2, maxSeconds: 10, nonRetryable: ['exit_2'] };
const attempt = (differs: Partial<FailedAttempt> = {}): FailedAttempt => ({
  code: 'exit_1',
  failures: 1,
  maxAttempts: 9,
  ...differs,
});

describe('the delay before the next attempt', () => {
  it('grows by the coefficient up to the longest', () => {
    const delays = [1, 2, 3, 4, 5, 6].map((failures) => retryDelayMs(policy, attempt({ failures })));
    expect(delays).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  it('is in whole milliseconds', () => {
    expect(retryDelayMs({ ...policy, initialSeconds: 0.1, coefficient: 1.5 }, attempt({ failures: 4 }))).toBe(338);
  });

  it('is finite after however many failures', () => {
    expect(retryDelayMs(policy, attempt({ failures: 5000, maxAttempts: 9999 }))).toBe(10_000);
  });

  it('may be none', () => {
    expect(retryDelayMs({ ...policy, initialSeconds: 0 }, attempt())).toBe(0);
  });

  it('is what the attempt asks for, even beyond the longest', () => {
    expect(retryDelayMs(policy, attempt({ retryAfterSeconds: 0 }))).toBe(0);
    expect(retryDelayMs(policy, attempt({ retryAfterSeconds: 0.5 }))).toBe(500);
    expect(retryDelayMs(policy, attempt({ retryAfterSeconds: 3600 }))).toBe(3_600_000);
  });
});

describe('there is no next attempt', () => {
  it('after the last failure', () => {
    expect(retryDelayMs(policy, attempt({ failures: 3, maxAttempts: 3 }))).toBeUndefined();
    expect(retryDelayMs(policy, attempt({ failures: 2, maxAttempts: 3 }))).toBeDefined();
  });

  it('after a code that the policy excludes', () => {
    expect(retryDelayMs(policy, attempt({ code: 'exit_2' }))).toBeUndefined();
  });

  it('after a command that is not there, whatever the policy says', () => {
    expect(retryDelayMs(policy, attempt({ code: 'command_not_found' }))).toBeUndefined();
  });

  it('even if the attempt asks for a delay', () => {
    expect(retryDelayMs(policy, attempt({ code: 'exit_2', retryAfterSeconds: 1 }))).toBeUndefined();
  });
});

describe('exit_75, the temporary failure', () => {
  it('is tried again even if the policy excludes it', () => {
    expect(retryDelayMs({ ...policy, nonRetryable: ['exit_75'] }, attempt({ code: 'exit_75' }))).toBe(1000);
  });

  it('has no more attempts than others', () => {
    expect(retryDelayMs(policy, attempt({ code: 'exit_75', failures: 9 }))).toBeUndefined();
  });
});
