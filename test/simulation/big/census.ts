import { logLineOverheadBytes } from '../../../bench/billing.ts';
import type { ActorUsage, Requests, Usage } from '../../../bench/usage.ts';
import type { ObservedCall } from '../../../local/wire.ts';
import type { World } from '../world.ts';

/** What an invocation takes besides its AWS calls, which take their time by the clock of the simulation. */
export const ownMs = 3;

/** Long polls of the shims: the price of listening, not of a task. */
export const listening = 'listening';
/** The look at the whole fleet every five minutes, and the sweep every minute: the price of a deployment. */
export const upkeep = 'upkeep';

interface Counted {
  invocations: number;
  memoryMiB: number;
  /** By the clock of the simulation. */
  durationMs: number;
  requests: Map<string, Requests>;
}

/** Counts what functions and shims ask of AWS, and what of it was throttled. */
export class Census {
  /** Calls that were throttled, by who made which. */
  readonly throttled = new Map<string, number>();
  /** Errors and warnings that functions logged, by their messages. */
  readonly complaints = new Map<string, number>();
  logBytes = 0;
  private readonly world: World;
  private readonly actors = new Map<string, Counted>();
  private units = { readUnits: 0, writeUnits: 0 };
  private isOpen = false;

  constructor(world: World) {
    this.world = world;
    const { aws } = world.stack;
    // A call consumes in the same turn of the event loop in which it is answered: the units are the next call's.
    aws.dynamodb.onConsumed = (_table, { readUnits, writeUnits }) => {
      this.units.readUnits += readUnits;
      this.units.writeUnits += writeUnits;
    };
    aws.observe((call) => this.count(call));
    aws.lambda.observe(({ logicalId, memoryMiB, durationMs }) => {
      if (!this.isOpen) return;
      const name = functionNameOf(logicalId);
      const actor = this.actor(name === 'sweep' ? upkeep : name);
      actor.invocations += 1;
      actor.memoryMiB = memoryMiB;
      actor.durationMs += durationMs;
    });
  }

  open(): void {
    this.readLogs();
    this.logBytes = 0;
    this.isOpen = true;
  }

  close(): void {
    this.readLogs();
    this.isOpen = false;
  }

  /** Takes what the functions have logged since the last time: kept, it would fill the memory. */
  readLogs(): void {
    const { logs } = this.world.stack;
    for (const line of logs.splice(0)) {
      this.logBytes += Buffer.byteLength(line) + logLineOverheadBytes;
      if (line.startsWith('{"level":"INFO"')) continue;
      const { message, level, function: name } = parsed(line);
      increment(this.complaints, `${name ?? 'embedded AWS'}: ${level ?? ''} ${message ?? line.slice(0, 80)}`);
    }
  }

  /** What was asked for, by whom; of durations only the mean. */
  usage(): Usage {
    return Object.fromEntries([...this.actors].map(([name, counted]) => [name, usageOf(counted)]));
  }

  private count(call: ObservedCall): void {
    const units = this.takeUnits(call);
    const actor = this.actorOf(call);
    if (actor === undefined) return;
    const kind = kindOf(call);
    if (isThrottle(call.errorCode)) increment(this.throttled, `${actor}: ${kind}`);
    if (!this.isOpen) return;
    const counted = this.actor(actor);
    const requests = counted.requests.get(kind) ?? { count: 0, readUnits: 0, writeUnits: 0 };
    requests.count += 1;
    requests.readUnits += units.readUnits;
    requests.writeUnits += units.writeUnits;
    counted.requests.set(kind, requests);
  }

  private takeUnits({ service }: ObservedCall) {
    if (service !== 'dynamodb') return { readUnits: 0, writeUnits: 0 };
    const { units } = this;
    this.units = { readUnits: 0, writeUnits: 0 };
    return units;
  }

  /** Undefined for who looks on from outside. */
  private actorOf({ principal, service, operation }: ObservedCall): string | undefined {
    const invocation = this.world.stack.running;
    if (invocation && principal?.endsWith(`/${invocation.name}`))
      return invocation.name === 'sweep' || looksAtFleet(invocation.event) ? upkeep : invocation.name;
    if (!principal?.includes(':assumed-role/')) return undefined;
    return service === 'sqs' && operation === 'ReceiveMessage' ? listening : 'shim';
  }

  private actor(name: string): Counted {
    let found = this.actors.get(name);
    if (!found) {
      found = { invocations: 0, memoryMiB: 0, durationMs: 0, requests: new Map() };
      this.actors.set(name, found);
    }
    return found;
  }
}

export function kindOf({ service, operation, input }: ObservedCall): string {
  const isFifo = service === 'sqs' && String(input.QueueUrl).endsWith('.fifo');
  return `${service} ${operation}${isFifo ? ' (FIFO)' : ''}`;
}

function isThrottle(code: string | undefined): boolean {
  return code === 'ThrottlingException' || code === 'Throttling' || code === 'TooManyRequestsException';
}

function usageOf({ invocations, memoryMiB, durationMs, requests }: Counted): ActorUsage {
  const meanMs = invocations === 0 ? 0 : ownMs + durationMs / invocations;
  return { invocations, memoryMiB, medianMs: meanMs, meanMs, requests: Object.fromEntries(requests) };
}

/** A nudge of the fleet's head is among the messages. */
function looksAtFleet(event: unknown): boolean {
  const records = (event as { Records?: { body?: unknown }[] } | undefined)?.Records;
  return records?.some(({ body }) => typeof body === 'string' && body.includes('"kind":"fleet"')) ?? false;
}

function parsed(line: string): { message?: string; level?: string; function?: string } {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** `FunctionsTaskEventsFunction1A2B` → `task-events`. */
function functionNameOf(logicalId: string): string {
  const name = /^Functions(.+)Function[0-9A-F]{8}$/.exec(logicalId)?.[1] ?? logicalId;
  return name.replace(/\B[A-Z]/g, '-$&').toLowerCase();
}
