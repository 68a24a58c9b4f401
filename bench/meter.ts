import type { EmbeddedAws } from '../local/embedded-aws.ts';
import type { ObservedInvocation } from '../local/services/lambda/service.ts';
import type { ObservedCall } from '../local/wire.ts';
import { logLineOverheadBytes } from './billing.ts';
import { mean, median } from './statistics.ts';
import type { Requests, Usage } from './usage.ts';

/** Long polls that heard nothing: the price of listening, not of a task. */
export const listening = 'listening';

interface Counted {
  memoryMiB: number;
  durationsMs: number[];
  requests: Map<string, Requests>;
}

interface Window {
  since: number;
  actors: Map<string, Counted>;
}

/** What was used while a window was open. */
export interface Measured {
  usage: Usage;
  /** As CloudWatch Logs counts them, of functions and containers. */
  logBytes: number;
}

/** Counts what the functions and the shims of a stack ask of AWS. Calls of the benchmark itself don't count. */
export class Meter {
  private readonly aws: EmbeddedAws;
  private readonly windows = new Set<Window>();
  private readonly functions: Map<string, string>;
  private pending: { readUnits: number; writeUnits: number } = { readUnits: 0, writeUnits: 0 };

  constructor(aws: EmbeddedAws) {
    this.aws = aws;
    this.functions = new Map(aws.lambda.definitions().map(({ name, logicalId }) => [name, functionNameOf(logicalId)]));
    // A call consumes in the same turn of the event loop in which it is answered, so the units are the next call's.
    aws.dynamodb.onConsumed = (_table, { readUnits, writeUnits }) => {
      this.pending.readUnits += readUnits;
      this.pending.writeUnits += writeUnits;
    };
    aws.observe((call) => this.count(call));
    aws.lambda.observe((invocation) => this.countInvocation(invocation));
  }

  /** Counts from now on; the returned function ends that and tells. */
  open(): () => Promise<Measured> {
    const window: Window = { since: this.aws.clock.now(), actors: new Map() };
    this.windows.add(window);
    return async () => {
      this.windows.delete(window);
      return { usage: usageOf(window), logBytes: await this.logBytes(window.since, this.aws.clock.now()) };
    };
  }

  private count(call: ObservedCall): void {
    const units = call.service === 'dynamodb' ? this.takePending() : { readUnits: 0, writeUnits: 0 };
    const actor = isEmptyReceive(call) ? listening : this.actorOf(call.principal);
    if (actor === undefined) return;
    for (const window of this.windows) {
      const { requests } = counted(window, actor);
      const kind = kindOf(call);
      const sum = requests.get(kind) ?? { count: 0, readUnits: 0, writeUnits: 0 };
      sum.count += call.operation === 'PutEvents' ? (call.input.Entries as unknown[]).length : 1;
      sum.readUnits += units.readUnits;
      sum.writeUnits += units.writeUnits;
      requests.set(kind, sum);
    }
  }

  private takePending() {
    const units = this.pending;
    this.pending = { readUnits: 0, writeUnits: 0 };
    return units;
  }

  private countInvocation({ logicalId, memoryMiB, durationMs }: ObservedInvocation): void {
    for (const window of this.windows) {
      const actor = counted(window, functionNameOf(logicalId));
      actor.memoryMiB = memoryMiB;
      // AWS bills whole milliseconds.
      actor.durationsMs.push(Math.max(1, Math.ceil(durationMs)));
    }
  }

  /** A function's session has its name; other roles are of containers and shims; the rest is the benchmark. */
  private actorOf(principal: string | undefined): string | undefined {
    if (principal === undefined || !principal.includes(':assumed-role/')) return undefined;
    return this.functions.get(principal.split('/').at(-1) ?? '') ?? 'shim';
  }

  private async logBytes(fromMs: number, untilMs: number): Promise<number> {
    const groups = (await this.aws.logs.call('DescribeLogGroups', {})) as { logGroups: { logGroupName: string }[] };
    let bytes = 0;
    for (const { logGroupName } of groups.logGroups) {
      const request = { logGroupName, startTime: fromMs, endTime: untilMs };
      const answer = (await this.aws.logs.call('FilterLogEvents', request)) as { events: { message: string }[] };
      for (const { message } of answer.events) bytes += Buffer.byteLength(message) + logLineOverheadBytes;
    }
    return bytes;
  }
}

function counted(window: Window, actor: string): Counted {
  let found = window.actors.get(actor);
  if (!found) {
    found = { memoryMiB: 0, durationsMs: [], requests: new Map() };
    window.actors.set(actor, found);
  }
  return found;
}

function usageOf(window: Window): Usage {
  return Object.fromEntries(
    [...window.actors].map(([actor, { memoryMiB, durationsMs, requests }]) => [
      actor,
      {
        invocations: durationsMs.length,
        memoryMiB,
        medianMs: durationsMs.length ? median(durationsMs) : 0,
        meanMs: durationsMs.length ? mean(durationsMs) : 0,
        requests: Object.fromEntries(requests),
      },
    ]),
  );
}

function kindOf({ service, operation, input }: ObservedCall): string {
  const isFifo = service === 'sqs' && String(input.QueueUrl).endsWith('.fifo');
  return `${service} ${operation}${isFifo ? ' (FIFO)' : ''}`;
}

function isEmptyReceive({ service, operation, output }: ObservedCall): boolean {
  if (service !== 'sqs' || operation !== 'ReceiveMessage') return false;
  return !(output as { Messages?: unknown[] } | undefined)?.Messages?.length;
}

/** `FunctionsTaskEventsFunction1A2B` → `task-events`. */
function functionNameOf(logicalId: string): string {
  const name = /^Functions(.+)Function[0-9A-F]{8}$/.exec(logicalId)?.[1];
  if (!name)
    throw new Error(`Received the function ${logicalId}; names like FunctionsApiFunction01234567 are expected.`);
  return name.replace(/\B[A-Z]/g, '-$&').toLowerCase();
}
