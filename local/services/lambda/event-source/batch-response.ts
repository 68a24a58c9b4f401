import type { InvocationResult } from '../function.ts';

/**
 * Which of `identifiers` a function reports as failed. A response that is not what `ReportBatchItemFailures` asks for
 * fails the whole batch; so does an identifier that is not in it (as AWS does).
 */
export function failedItems(result: InvocationResult, identifiers: readonly string[], reports: boolean): Set<string> {
  const all = new Set(identifiers);
  if (result.functionError) return all;
  if (!reports) return new Set();
  const response = parse(result.payload);
  if (response === null || response === undefined || response === '') return new Set();
  if (typeof response !== 'object') return all;
  const failures = (response as Record<string, unknown>).batchItemFailures;
  if (failures === null || (failures === undefined && Object.keys(response).length === 0)) return new Set();
  if (!Array.isArray(failures)) return all;
  const failed = new Set<string>();
  for (const failure of failures) {
    const identifier = (failure as Record<string, unknown> | null)?.itemIdentifier;
    if (typeof identifier !== 'string' || !all.has(identifier)) return all;
    failed.add(identifier);
  }
  return failed;
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
