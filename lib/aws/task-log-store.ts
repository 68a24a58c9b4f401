import type { LogLine, TaskLogs } from '../app/ports.ts';
import { newId, type RandomBytes } from '../domain/id.ts';
import { linesPartition } from './keys.ts';
import type { Table } from './table.ts';

/** Lines of one item: far below 400 KB with lines of at most 8 KiB. */
const bytesPerItem = 100_000;

/** Items of one read: with the largest items 2 MB. */
const itemsPerRead = 20;

/** What agents' programs print, in items of a batch each, in the order of arrival. */
export class TaskLogStore implements TaskLogs {
  private readonly table: Table;
  private readonly retentionSeconds: number;
  private readonly random: RandomBytes;

  constructor(table: Table, retentionDays: number, random: RandomBytes) {
    this.table = table;
    this.retentionSeconds = retentionDays * 86_400;
    this.random = random;
  }

  async append(tenant: string, agentId: string, taskId: string, lines: LogLine[], nowMs: number): Promise<void> {
    const ttl = Math.floor(nowMs / 1000) + this.retentionSeconds;
    let order = 0;
    for (const chunk of chunks(lines)) {
      // The order within a millisecond is kept by a counter in front of the chance.
      const sk = `${newId('event', nowMs, this.random).slice(4, 14)}${String(order++).padStart(3, '0')}${newId('event', nowMs, this.random).slice(-8)}`;
      await this.table.put({ pk: linesPartition(tenant, agentId), sk, taskId, lines: chunk, ttl });
    }
  }

  async page(
    tenant: string,
    agentId: string,
    query: { taskId?: string | undefined; limit: number; after: string | undefined },
  ) {
    const pk = linesPartition(tenant, agentId);
    // The cursor is the item and how many of its lines have been read.
    const [startSk, done = '0'] = query.after?.split(':') ?? [];
    let skip = Number(done);
    let after = startSk === undefined ? undefined : previous(startSk);
    const items: (LogLine & { taskId: string })[] = [];
    let cursor = query.after;
    // A filter on the task reads a bounded number of items; the cursor moves on whether they matched or not.
    for (let pages = 0; pages < 10 && items.length < query.limit; pages++) {
      const found = await this.table.page(pk, '', { limit: itemsPerRead, strong: true, after });
      for (const item of found) {
        const sk = String(item.sk);
        const lines = item.lines as LogLine[];
        const from = sk === startSk ? skip : 0;
        const matches = query.taskId === undefined || item.taskId === query.taskId;
        const taken = matches ? lines.slice(from, from + query.limit - items.length) : [];
        items.push(...taken.map((line) => ({ ...line, taskId: String(item.taskId) })));
        cursor = `${sk}:${matches ? from + taken.length : lines.length}`;
        after = sk;
        if (items.length >= query.limit) break;
      }
      if (found.length < itemsPerRead) break;
      skip = 0;
    }
    return { items, cursor };
  }
}

/** A sort key just before `sk`, so that a page begins with it. */
function previous(sk: string): string {
  return sk.slice(0, -1) + String.fromCharCode(sk.charCodeAt(sk.length - 1) - 1);
}

function chunks(lines: LogLine[]): LogLine[][] {
  const result: LogLine[][] = [];
  let bytes = bytesPerItem;
  for (const line of lines) {
    if (bytes + line.line.length > bytesPerItem) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)!.push(line);
    bytes += line.line.length + 60;
  }
  return result;
}
