/** What started a task or a run, and hears of its end: a step of a workflow's run, or one occurrence of a schedule. */
export type Parent =
  | { type: 'run'; runId: string; step: string; item?: number | undefined }
  | { type: 'schedule'; name: string; scheduledMs: number };
