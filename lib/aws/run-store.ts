import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import type { Page } from '../app/ports.ts';
import type { Runs } from '../app/runs/ports.ts';
import type { CarriedEvent } from '../domain/event.ts';
import { type HeadRef, runHead } from '../domain/head.ts';
import type { Completion, Run } from '../domain/run.ts';
import { withPacked, withUnpacked } from './free-json.ts';
import { dueEntry, headKey, inboxKey, inboxPrefix, listEntry, partitionOf } from './keys.ts';
import { difference, type Item, orConflict, type Table } from './table.ts';

const rowAttributes = ['pk', 'sk', 'listPk', 'listSk', 'duePk', 'dueAt', 'events'] as const;
/** Attributes that hold what users and their programs say. */
const freeOfRun = ['input', 'steps', 'output', 'error', 'ending'] as const;

/** Runs: a head row each, and beside it a small row for every end of a task or sub-run that it has not heard of yet. */
export class RunStore implements Runs {
  private readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  async get(tenant: string, runId: string): Promise<Run | undefined> {
    const run = toRun(await this.table.get(headKey(runHead(tenant, runId)), true));
    // Two ids may share a partition's code: only the one that it was made for is the run.
    return run?.id === runId ? run : undefined;
  }

  async create(run: Run, events: CarriedEvent[]): Promise<void> {
    const item = { ...headKey(headOf(run)), ...row(run), ...listEntry(run.tenant, 'runs', run.id), events };
    orConflict(await this.table.putNew(item), `Run ${run.id}`);
  }

  async commit(before: Run, after: Run, events: CarriedEvent[]): Promise<void> {
    const changes: Item = { ...difference(row(before), row(after)), events: events.length ? events : undefined };
    const expected: Item = { version: before.version };
    // The sweep's redrive may have lowered the due time without a new version: a later one must not overwrite it unseen.
    if ('dueAt' in changes) expected.dueAt = before.dueAtMs;
    orConflict(await this.table.change(headKey(headOf(before)), changes, expected), `Run ${before.id}`);
  }

  async page(tenant: string, limit: number, before: string | undefined): Promise<Page<Run>> {
    const keys = await this.table.listKeys(tenant, 'runs', limit, before);
    const items = await this.table.getAll(keys.items.map((entry) => entry.key));
    return { items: items.flatMap((item) => toRun(item) ?? []), next: keys.next };
  }

  async leaveWord(tenant: string, runId: string, completion: Completion): Promise<void> {
    const { step, item, id, status } = completion;
    await this.table.put({ ...inboxKey(runHead(tenant, runId), completion), step, item, id, status });
  }

  async inbox(tenant: string, runId: string, limit: number): Promise<Completion[]> {
    const items = await this.table.page(partitionOf(runHead(tenant, runId)), inboxPrefix, { limit, strong: true });
    return items.map(({ step, item, id, status }) => ({
      step: String(step),
      id: String(id),
      status: String(status),
      ...(item === undefined ? {} : { item: Number(item) }),
    }));
  }

  async drop(tenant: string, runId: string, completion: Completion): Promise<void> {
    const Key = inboxKey(runHead(tenant, runId), completion);
    await this.table.client.send(new DeleteCommand({ TableName: this.table.name, Key }));
  }
}

function headOf(run: Run): HeadRef {
  return runHead(run.tenant, run.id);
}

function row(run: Run): Item {
  const { dueAtMs, ...rest } = run;
  return { ...withPacked(rest, freeOfRun), ...dueEntry(run.id, dueAtMs) };
}

/** A run as its head row holds it. */
export function toRun(item: Item | undefined): Run | undefined {
  if (!item) return undefined;
  const own = Object.fromEntries(
    Object.entries(item).filter(([name]) => !(rowAttributes as readonly string[]).includes(name)),
  );
  const dueAtMs = item.dueAt === undefined ? {} : { dueAtMs: Number(item.dueAt) };
  return { ...withUnpacked(own, freeOfRun), ...dueAtMs } as unknown as Run;
}
