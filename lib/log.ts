import type { Logger } from './app/ports.ts';

/** JSON lines with a constant message and fields: what CloudWatch Logs Insights can query. */
export function makeLogger(fields: Record<string, unknown>, write: (line: string) => void = toStdout): Logger {
  const at =
    (level: string) =>
    (message: string, more: Record<string, unknown> = {}) =>
      write(JSON.stringify({ level, message, ...fields, ...plain(more) }));
  return {
    info: at('INFO'),
    warn: at('WARN'),
    error: at('ERROR'),
    count: (counts, stack, more = {}) => at('INFO')('counted', { ...more, stack, ...counts, ...metricsOf(counts) }),
  };
}

/**
 * What makes CloudWatch metrics of a log line (its embedded metric format). By stack only: each combination of
 * dimensions is a metric of its own, at $0.30 a month in which it counts something.
 */
function metricsOf(counts: Record<string, number>): Record<string, unknown> {
  const Metrics = Object.keys(counts).map((Name) => ({ Name, Unit: 'Count' }));
  const CloudWatchMetrics = [{ Namespace: 'Rouse', Dimensions: [['stack']], Metrics }];
  return { _aws: { Timestamp: Date.now(), CloudWatchMetrics } };
}

/** Raw: Lambda would wrap what `console.log` prints in a JSON object of its own. */
function toStdout(line: string): void {
  process.stdout.write(`${line}\n`);
}

function plain(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value,
    ]),
  );
}
