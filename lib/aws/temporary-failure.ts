/** What AWS services call a request that came too fast: the names differ, and most come with status 400. */
const throttlings = new Set([
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'ProvisionedThroughputExceededException',
  'TooManyRequestsException',
  'LimitExceededException',
  'SlowDown',
  'TransactionInProgressException',
  'TransactionConflictException',
]);

/** What Node calls a connection that broke, or never came about. */
const connections = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN']);

interface Failure {
  name?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
  CancellationReasons?: { Code?: string }[];
}

/**
 * Whether a call of AWS failed, with all its repetitions, for a reason that passes by itself: too many requests, a
 * fault of the service, a broken connection, another transaction at the same rows.
 */
export function isTemporary(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code = '', $metadata, CancellationReasons } = error as Failure;
  if (throttlings.has(name ?? '') || connections.has(code) || name === 'TimeoutError') return true;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status >= 500 || status === 429) return true;
  return CancellationReasons?.some(({ Code }) => Code === 'TransactionConflict' || Code === 'ThrottlingError') ?? false;
}
