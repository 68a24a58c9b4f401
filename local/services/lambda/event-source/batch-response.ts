import type { InvocationResult } from '../function.ts';

export interface BatchOutcome {
  /** Identifiers of what has to come again. */
  failed: Set<string>;
  /** Whether the function named them; otherwise the batch failed as a whole. */
  isReported: boolean;
}

/**
 * Which of `identifiers` a function reports as failed. A response that is not what `ReportBatchItemFailures` asks for
 * fails the whole batch; so does an identifier that is not in it (as AWS does).
 */
export function batchOutcome(result: InvocationResult, identifiers: readonly string[], reports: boolean): BatchOutcome {
  const all = { failed: new Set(identifiers), isReported: false };
  const none = { failed: new Set<string>(), isReported: false };
  if (result.functionError) return all;
  if (!reports) return none;
  const response = parse(result.payload);
  if (response === null || response === undefined || response === '') return none;
  if (typeof response !== 'object') return all;
  const failures = (response as Record<string, unknown>).batchItemFailures;
  if (failures === null || (failures === undefined && Object.keys(response).length === 0)) return none;
  if (!Array.isArray(failures)) return all;
  const failed = new Set<string>();
  for (const failure of failures) {
    const identifier = (failure as Record<string, unknown> | null)?.itemIdentifier;
    if (typeof identifier !== 'string' || !all.failed.has(identifier)) return all;
    failed.add(identifier);
  }
  return { failed, isReported: true };
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
