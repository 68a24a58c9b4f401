/** The shim's own log: JSON lines on stdout, which the container's log driver carries. Never pass it a secret. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** Fields that hold an Error are written as its message and, where it has one, its code. */
export function makeLog(write: (line: string) => void, constant: Record<string, unknown> = {}): Log {
  const put = (level: string, message: string, fields: Record<string, unknown> = {}) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...constant, ...plain(fields) })}\n`);
  return {
    info: (message, fields) => put('info', message, fields),
    error: (message, fields) => put('error', message, fields),
  };
}

function plain(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/** An error as one line for people, with the causes that fetch hides. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`;
  const code = (error as { code?: unknown }).code;
  const suffix = typeof code === 'string' && !error.message.includes(code) ? ` (${code})` : '';
  return `${error.message || error.name}${suffix}${cause}`;
}
