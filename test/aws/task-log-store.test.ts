import { describe, expect, it } from 'vitest';
import type { LogLine } from '../../lib/app/ports.ts';
import { TaskLogStore } from '../../lib/aws/task-log-store.ts';
import { idOf } from '../../lib/domain/id.ts';
import { agentId, bytesFrom, nowMs, taskId, ulid } from '../support/builders.ts';
import { makeTables } from './tables.ts';

const tenant = 'default';
const otherTaskId = idOf('task', ulid(9), agentId);

async function setUp() {
  const logs = new TaskLogStore((await makeTables()).log, 30, bytesFrom(1));
  const append = (lines: string[], atMs = nowMs, task = taskId) =>
    logs.append(tenant, agentId, task, lines.map(line), atMs);
  const page = (limit: number, after?: string, task?: string) =>
    logs.page(tenant, agentId, { taskId: task, limit, after });
  /** All lines, page by page, and the cursor at the end. */
  const all = async (limit: number, task?: string) => {
    const seen: string[] = [];
    let cursor: string | undefined;
    for (;;) {
      const found = await page(limit, cursor, task);
      expect(found.items.length).toBeLessThanOrEqual(limit);
      seen.push(...found.items.map((item) => item.line));
      if (found.items.length === 0 && found.cursor === cursor) return { seen, cursor };
      cursor = found.cursor;
    }
  };
  return { append, page, all };
}

const line = (text: string): LogLine => ({ time: '2027-01-04T08:00:00.000Z', stream: 'stdout', line: text });
const texts = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}`);

describe('lines of an agent', () => {
  it('are read as they were appended', async () => {
    const { append, page } = await setUp();
    await append(['a', 'b']);
    expect((await page(10)).items).toEqual(['a', 'b'].map((text) => ({ ...line(text), taskId })));
  });

  it('come in pages of any size, each line once, in order', async () => {
    const { append, all } = await setUp();
    let last = 0;
    for (const [i, size] of [1, 7, 30, 2, 2, 18].entries()) {
      await append(texts(last + 1, last + size), nowMs + i);
      last += size;
    }
    for (const limit of [1, 6, 60, 100]) expect((await all(limit)).seen).toEqual(texts(1, last));
  });

  it('come in order over more items than one read takes', async () => {
    const { append, all } = await setUp();
    for (let i = 1; i <= 90; i++) await append([`line ${i}`], nowMs + i);
    expect((await all(500)).seen).toEqual(texts(1, 90));
  });

  it('go on from the cursor of the last page', async () => {
    const { append, all, page } = await setUp();
    await append(texts(1, 3));
    const { cursor } = await all(10);
    await append(texts(4, 5), nowMs + 1);
    expect((await page(10, cursor)).items.map((item) => item.line)).toEqual(texts(4, 5));
  });

  it('of a batch that is too large for one item stay in order', async () => {
    const { append, all } = await setUp();
    const long = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(8192, 'x'));
    await append(long);
    expect((await all(7)).seen).toEqual(long);
  });

  it('of one task are picked from those of the others', async () => {
    const { append, all } = await setUp();
    for (let i = 1; i <= 30; i++) await append([`line ${i}`], nowMs + i, i % 2 ? taskId : otherTaskId);
    const odd = texts(1, 30).filter((_, i) => i % 2 === 0);
    for (const limit of [1, 4, 100]) expect((await all(limit, taskId)).seen).toEqual(odd);
  });

  it('of one task are found behind many of another, by a bounded number of reads a page', async () => {
    const { append, page, all } = await setUp();
    for (let i = 1; i <= 300; i++) await append(['noise'], nowMs + i, otherTaskId);
    await append(['found'], nowMs + 301);
    const first = await page(10, undefined, taskId);
    expect(first.items).toEqual([]);
    expect(first.cursor).toBeDefined();
    expect((await all(10, taskId)).seen).toEqual(['found']);
  });

  it('of an agent without any are none', async () => {
    const { page } = await setUp();
    expect(await page(10)).toEqual({ items: [], cursor: undefined });
  });
});
