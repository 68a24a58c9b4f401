import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { Timer } from '../../clock.ts';
import { AwsError, notEmulated } from '../../errors.ts';
import type { CallContext, Environment, WireRequest, WireResponse, WireService } from '../../service.ts';
import { AsyncInvocations } from './async-invocations.ts';
import { errorResult, type FunctionDefinition, type FunctionRunner, type InvocationResult } from './function.ts';
import { FunctionGate } from './function-gate.ts';

/** Concurrency of an account without reservations (AWS's default). */
const accountConcurrency = 1000;
const maxSyncPayloadBytes = 6 * 1024 * 1024;

interface RunningFunction {
  definition: FunctionDefinition;
  runner: FunctionRunner | undefined;
  gate: FunctionGate;
}

/** One finished invocation, for counting what a task costs. */
export interface ObservedInvocation {
  logicalId: string;
  durationMs: number;
  memoryMiB: number;
  functionError: boolean;
}

export type RunnerFactory = (definition: FunctionDefinition) => FunctionRunner;

/** AWS Lambda: functions defined by the deployer, invoked by event sources, the HTTP API, rules, schedules, or the API. */
export class LambdaService implements WireService {
  readonly protocol = 'wire';
  readonly name = 'lambda';
  private readonly environment: Environment;
  private readonly makeRunner: RunnerFactory;
  private readonly functions = new Map<string, RunningFunction>();
  private readonly observers = new Set<(invocation: ObservedInvocation) => void>();
  private readonly asynchronous: AsyncInvocations;
  private readonly current = new AsyncLocalStorage<{ pause(): () => void }>();

  constructor(environment: Environment, makeRunner: RunnerFactory) {
    this.environment = environment;
    this.makeRunner = makeRunner;
    this.asynchronous = new AsyncInvocations(environment, (arn, event) => this.invokeWhenFree(arn, event));
  }

  /** Creates a function, or replaces its code and configuration; the invocations under way end on the old one. */
  async define(definition: FunctionDefinition): Promise<void> {
    const before = this.functions.get(definition.arn);
    if (before && JSON.stringify(before.definition) === JSON.stringify(definition)) return;
    const gate = before?.gate ?? new FunctionGate(0);
    gate.limit = definition.reservedConcurrency ?? accountConcurrency;
    this.functions.set(definition.arn, { definition, runner: undefined, gate });
    await before?.runner?.close();
  }

  async remove(arn: string): Promise<void> {
    const removed = this.functions.get(arn);
    this.functions.delete(arn);
    await removed?.runner?.close();
  }

  /** Starts what was left over from before a restart: call it once the functions are defined. */
  resume(): void {
    this.asynchronous.resume();
  }

  definitions(): FunctionDefinition[] {
    return [...this.functions.values()].map(({ definition }) => definition);
  }

  /** Calls `observer` after each invocation; the returned function ends that. */
  observe(observer: (invocation: ObservedInvocation) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  /**
   * Invokes and waits. `event` is JSON text.
   * @throws AwsError TooManyRequestsException when the function's concurrency is used up.
   */
  async invoke(arn: string, event: string): Promise<InvocationResult> {
    const target = this.find(arn);
    if (!target.gate.tryEnter()) {
      throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429, {
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      });
    }
    return this.runInPlace(target, event);
  }

  /** As {@link invoke}, but waits for a place: event sources and asynchronous invocations are not refused, only held. */
  async invokeWhenFree(arn: string, event: string): Promise<InvocationResult> {
    const target = this.find(arn);
    await target.gate.enter();
    return this.runInPlace(target, event);
  }

  /** Accepts an event to be handled soon; failures are retried after one and two minutes, as AWS does. */
  invokeAsync(arn: string, event: string): void {
    const { definition } = this.find(arn);
    this.asynchronous.accept(definition.arn, event, definition.maximumRetryAttempts ?? 2);
  }

  /** Sleeps on the environment's clock in an in-process handler, without counting as activity meanwhile. */
  async sleep(durationMs: number): Promise<void> {
    const { clock } = this.environment;
    const goOn = this.current.getStore()?.pause();
    await new Promise<void>((resolve) => {
      clock.at(clock.now() + durationMs, () => {
        goOn?.();
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    this.asynchronous.close();
    await Promise.all([...this.functions.values()].map(({ runner }) => runner?.close()));
  }

  operation(request: WireRequest): string {
    return /^\/2015-03-31\/functions\/[^/]+\/invocations$/.test(request.path) && request.method === 'POST'
      ? 'Invoke'
      : `${request.method} ${request.path}`;
  }

  async handle(request: WireRequest, _context: CallContext): Promise<WireResponse> {
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path)?.[1];
    if (!name || request.method !== 'POST') throw notEmulated('Lambda', `operation ${this.operation(request)}`);
    if (request.body.length > maxSyncPayloadBytes)
      throw new AwsError('RequestTooLargeException', `Request must be smaller than ${maxSyncPayloadBytes} bytes`, 413);
    const event = Buffer.from(request.body).toString('utf8') || '{}';
    const arn = this.find(decodeURIComponent(name)).definition.arn;
    const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
    if (type === 'Event') {
      this.invokeAsync(arn, event);
      return { status: 202, headers: {}, body: '' };
    }
    if (type !== 'RequestResponse') throw notEmulated('Lambda', `invocation type ${type}`);
    const result = await this.invoke(arn, event);
    const headers: Record<string, string> = { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' };
    if (result.functionError) headers['x-amz-function-error'] = result.functionError;
    return { status: 200, headers, body: result.payload };
  }

  /** By ARN or by name. */
  private find(arnOrName: string): RunningFunction {
    const byArn = this.functions.get(arnOrName);
    if (byArn) return byArn;
    for (const candidate of this.functions.values()) if (candidate.definition.name === arnOrName) return candidate;
    throw new AwsError('ResourceNotFoundException', `Function not found: ${arnOrName}`, 404);
  }

  private async runInPlace(target: RunningFunction, event: string): Promise<InvocationResult> {
    const { activity, clock } = this.environment;
    let end = activity.begin();
    // Pauses may overlap when a handler sleeps in two branches: only the outermost counts.
    let pauses = 0;
    let isOver = false;
    const pause = () => {
      if (pauses++ === 0) end();
      return () => {
        // A branch that sleeps on when its process has died wakes to nothing.
        if (--pauses === 0 && !isOver) end = activity.begin();
      };
    };
    const startMs = clock.now();
    try {
      const result = await this.current.run({ pause }, () => this.runWithFaults(target, event));
      const { logicalId, memoryMiB } = target.definition;
      const seen = {
        logicalId,
        memoryMiB,
        durationMs: clock.now() - startMs,
        functionError: result.functionError !== undefined,
      };
      for (const observer of this.observers) observer(seen);
      return result;
    } finally {
      isOver = true;
      target.gate.leave();
      end();
    }
  }

  /** A fault of operation `Invoke` fails the function before it starts or, with `after`, once it has done its work. */
  private async runWithFaults(target: RunningFunction, event: string): Promise<InvocationResult> {
    const { logicalId, name } = target.definition;
    const input = { FunctionName: name, LogicalId: logicalId };
    const fault = this.environment.faults.of({ service: 'lambda', operation: 'Invoke', input, principal: undefined });
    const crashed = errorResult('Runtime.ExitError', 'Injected crash of the function.');
    if (fault && fault.kind !== 'delay' && !fault.after) return crashed;
    if (fault?.kind === 'delay') await this.sleep(fault.delayMs);
    const result = await this.runInTime(target, event);
    return fault && fault.kind !== 'delay' ? crashed : result;
  }

  private async runInTime(target: RunningFunction, event: string): Promise<InvocationResult> {
    const { clock } = this.environment;
    const { definition } = target;
    target.runner ??= this.makeRunner(definition);
    const { runner } = target;
    const requestId = randomUUID();
    const deadlineMs = clock.now() + definition.timeoutSeconds * 1000;
    let timer: Timer | undefined;
    const timeout = new Promise<InvocationResult>((resolve) => {
      timer = clock.at(deadlineMs, () => {
        runner.abandon(requestId);
        const seconds = definition.timeoutSeconds.toFixed(2);
        resolve(
          errorResult('Sandbox.Timedout', `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`),
        );
      });
    });
    try {
      const result = await Promise.race([runner.invoke({ requestId, event, deadlineMs }), timeout]);
      if (result.payload.length <= maxSyncPayloadBytes) return result;
      const message = `Response payload size exceeded maximum allowed payload size (${maxSyncPayloadBytes} bytes).`;
      return errorResult('Function.ResponseSizeTooLarge', message);
    } finally {
      timer?.cancel();
    }
  }
}
