/** AWS's requests of one kind, with the capacity units that they consumed if they went to DynamoDB. */
export interface Requests {
  count: number;
  readUnits: number;
  writeUnits: number;
}

/** What one function, or the shims, asked of AWS. Counts may be fractions: of a task's share. */
export interface ActorUsage {
  /** 0 for the shims, which are no function. */
  invocations: number;
  memoryMiB: number;
  /** Of its invocations' durations. */
  medianMs: number;
  meanMs: number;
  /** By service and operation, such as `dynamodb PutItem`; of queues with the kind, such as `sqs SendMessage (FIFO)`. */
  requests: Record<string, Requests>;
}

/** Who asked for what: functions by the names of their entries, and `shim`. */
export type Usage = Record<string, ActorUsage>;

/** Each actor's usage divided by its number: of the tasks, or of whatever it did so much for. */
export function shareOf(usage: Usage, divisor: (actor: string) => number): Usage {
  return Object.fromEntries(
    Object.entries(usage).map(([actor, used]) => {
      const by = divisor(actor);
      const requests = Object.entries(used.requests).map(([kind, { count, readUnits, writeUnits }]) => [
        kind,
        { count: count / by, readUnits: readUnits / by, writeUnits: writeUnits / by },
      ]);
      return [actor, { ...used, invocations: used.invocations / by, requests: Object.fromEntries(requests) }];
    }),
  );
}

/** Only some of the actors. */
export function only(usage: Usage, ...actors: string[]): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([actor]) => actors.includes(actor)));
}

export function without(usage: Usage, ...actors: string[]): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([actor]) => !actors.includes(actor)));
}

/** All requests that AWS counts, invocations included. */
export function requestCount(usage: Usage): number {
  return Object.values(usage).reduce(
    (sum, { invocations, requests }) =>
      sum + invocations + Object.values(requests).reduce((all, { count }) => all + count, 0),
    0,
  );
}

/** A usage with the durations of another: of one that was measured while the machine was not overloaded. */
export function withDurationsOf(usage: Usage, other: Usage): Usage {
  return Object.fromEntries(
    Object.entries(usage).map(([actor, used]) => {
      const { medianMs, meanMs } = other[actor] ?? used;
      return [actor, { ...used, medianMs, meanMs }];
    }),
  );
}
