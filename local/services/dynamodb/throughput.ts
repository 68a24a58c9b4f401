/** How much a table takes in a second. */
import type { Clock } from '../../clock.ts';
import { AwsError } from '../../errors.ts';

/** Capacity units a second, of each table. */
export interface ThroughputLimits {
  readUnits: number;
  writeUnits: number;
}

/**
 * What a new on-demand table takes before it has seen more
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html).
 */
export const newTableLimits: ThroughputLimits = { readUnits: 12_000, writeUnits: 4000 };

type Access = keyof ThroughputLimits;

interface Account {
  units: number;
  filledMs: number;
}

/** What a call costs is known when it is done: it may overdraw, and who comes next waits until that is paid. */
export class Throughput {
  private readonly clock: Clock;
  private readonly limits: ThroughputLimits;
  private readonly accounts = new Map<string, Account>();

  constructor(clock: Clock, limits: ThroughputLimits) {
    this.clock = clock;
    this.limits = limits;
  }

  /** @throws AwsError as an on-demand table refuses what comes too fast */
  check(tableName: string, access: Access): void {
    if (this.account(tableName, access).units > 0) return;
    const message =
      'Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index so please try again shortly.';
    throw new AwsError('ThrottlingException', message);
  }

  consume(tableName: string, units: ThroughputLimits): void {
    for (const access of ['readUnits', 'writeUnits'] as const)
      if (units[access] > 0) this.account(tableName, access).units -= units[access];
  }

  private account(tableName: string, access: Access): Account {
    const key = `${access} ${tableName}`;
    const limit = this.limits[access];
    const nowMs = this.clock.now();
    const account = this.accounts.get(key) ?? { units: limit, filledMs: nowMs };
    this.accounts.set(key, account);
    account.units = Math.min(limit, account.units + (Math.max(0, nowMs - account.filledMs) / 1000) * limit);
    account.filledMs = nowMs;
    return account;
  }
}

const writing = /^(Put|Update|Delete|BatchWrite|TransactWrite)/;

export function accessOf(operation: string): Access {
  return writing.test(operation) ? 'writeUnits' : 'readUnits';
}

/** The tables that a call names. */
export function tablesOf(input: Record<string, unknown>): string[] {
  const { TableName, RequestItems, TransactItems } = input;
  if (typeof TableName === 'string') return [TableName];
  if (RequestItems) return Object.keys(RequestItems);
  const actions = (TransactItems ?? []) as Record<string, { TableName: string }>[];
  return [...new Set(actions.flatMap((action) => Object.values(action).map((one) => one.TableName)))];
}
