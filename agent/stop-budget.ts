/** What the time between SIGTERM and SIGKILL is spent on. */
export interface StopBudget {
  /** For the tasks' processes to end. */
  driversMs: number;
  /** For the workspace to be saved. */
  saveMs: number;
  /** For the goodbye. */
  commitMs: number;
}

/** Of 120 s: 10 s for drivers, 10 s to say goodbye, 95 s to save, 5 s left over; less in proportion. */
export function splitStopBudget(stopTimeoutSeconds: number): StopBudget {
  const totalMs = stopTimeoutSeconds * 1000;
  const part = (share: number) => Math.floor((totalMs * share) / 120);
  return { driversMs: part(10), saveMs: part(95), commitMs: part(10) };
}
