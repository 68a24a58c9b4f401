import { randomUUID } from 'node:crypto';
import type { Timer } from '../../clock.ts';
import type { Environment } from '../../service.ts';
import type { StoredMap } from '../../store.ts';
import type { InvocationResult } from './function.ts';

/** Waits before the second and the third attempt, as AWS documents them. */
const retryDelaysMs = [60_000, 120_000] as const;

interface PendingInvocation {
  id: string;
  arn: string;
  event: string;
  attempts: number;
  maxRetries: number;
  dueAtMs: number;
}

/** Lambda's queue of asynchronous invocations. It survives a restart: what was accepted is handled at least once. */
export class AsyncInvocations {
  private readonly environment: Environment;
  private readonly invoke: (arn: string, event: string) => Promise<InvocationResult>;
  private readonly pending: StoredMap<PendingInvocation>;
  private readonly timers = new Map<string, Timer>();

  constructor(environment: Environment, invoke: (arn: string, event: string) => Promise<InvocationResult>) {
    this.environment = environment;
    this.invoke = invoke;
    this.pending = environment.store.map('lambda-async');
  }

  accept(arn: string, event: string, maxRetries: number): void {
    const dueAtMs = this.environment.clock.now();
    const invocation = { id: randomUUID(), arn, event, attempts: 0, maxRetries, dueAtMs };
    this.pending.set(invocation.id, invocation);
    void this.attempt(invocation);
  }

  resume(): void {
    for (const invocation of this.pending.values()) this.arm(invocation);
  }

  close(): void {
    for (const timer of this.timers.values()) timer.cancel();
  }

  private arm(invocation: PendingInvocation): void {
    const timer = this.environment.clock.at(invocation.dueAtMs, () => {
      this.timers.delete(invocation.id);
      void this.attempt(invocation);
    });
    this.timers.set(invocation.id, timer);
  }

  private async attempt(invocation: PendingInvocation): Promise<void> {
    const { clock, log } = this.environment;
    let failure: string | undefined;
    try {
      const result = await this.invoke(invocation.arn, invocation.event);
      if (result.functionError) failure = result.payload;
    } catch (error) {
      failure = String(error);
    }
    const attempts = invocation.attempts + 1;
    if (failure === undefined || attempts > invocation.maxRetries) {
      if (failure !== undefined) log(`gave up an asynchronous invocation of ${invocation.arn}: ${failure}`);
      this.pending.delete(invocation.id);
      return;
    }
    const delayMs = retryDelaysMs[invocation.attempts] ?? retryDelaysMs[1];
    const next = { ...invocation, attempts, dueAtMs: clock.now() + delayMs };
    this.pending.set(next.id, next);
    this.arm(next);
  }
}
