/** What the SDK's retry middleware says of a failure. */
interface Failure {
  error?: unknown;
  errorType: 'THROTTLING' | 'TRANSIENT' | 'SERVER_ERROR' | 'CLIENT_ERROR';
}

interface RetryToken {
  getRetryCount(): number;
  getRetryDelay(): number;
}

const delayBaseMs = { THROTTLING: 1000, TRANSIENT: 50 } as const;
const longestDelayMs = 20_000;

/**
 * The SDK's standard retries with their documented delays, which pass on the stack's clock instead of the machine's:
 * a test under throttling takes no longer, and happens the same way each time.
 */
export class ClockRetryStrategy {
  readonly mode = 'standard';
  private readonly maxAttempts: number;
  private readonly sleep: (ms: number) => Promise<void>;
  private readonly random: () => number;

  /** @param random a number from 0 to 1: the jitter */
  constructor(maxAttempts: number, sleep: (ms: number) => Promise<void>, random: () => number) {
    this.maxAttempts = maxAttempts;
    this.sleep = sleep;
    this.random = random;
  }

  async acquireInitialRetryToken(): Promise<RetryToken> {
    return tokenOf(0);
  }

  async refreshRetryTokenForRetry(token: RetryToken, { errorType }: Failure): Promise<RetryToken> {
    const attempt = token.getRetryCount() + 1;
    const isRetryable = errorType === 'THROTTLING' || errorType === 'TRANSIENT';
    if (!isRetryable || attempt >= this.maxAttempts) throw new Error('No retry token available');
    const limitMs = Math.min(delayBaseMs[errorType] * 2 ** token.getRetryCount(), longestDelayMs);
    await this.sleep(Math.floor(this.random() * limitMs));
    return tokenOf(attempt);
  }

  recordSuccess(): void {}
}

/** The delay has passed when the token is given. */
function tokenOf(retries: number): RetryToken {
  return { getRetryCount: () => retries, getRetryDelay: () => 0 };
}
