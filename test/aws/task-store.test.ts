import { describe, expect, it } from 'vitest';
import { Conflict } from '../../lib/app/ports.ts';
import { listEntry, liveKey } from '../../lib/aws/keys.ts';
import { priced } from '../../lib/domain/cost.ts';
import { idOf } from '../../lib/domain/id.ts';
import { cancelled, claim, type LiveTask, succeed } from '../../lib/domain/task.ts';
import { agentId, anEvent, aTask, nowMs, otherRuntimeId, runtimeId, taskId, ulid } from '../support/builders.ts';
import { crashAfter } from './tables.ts';
import { numbered, recordOf, setUp, tenant } from './tasks.ts';

describe('the queue of an agent', () => {
  it('is in the order of places, then of ids', async () => {
    const { submit, queue } = await setUp();
    const [a, b, c] = [numbered(1, { place: 20 }), numbered(2, { place: 5 }), numbered(3, { place: 5 })];
    for (const task of [a, c, b]) await submit(task);
    expect(await queue()).toEqual([[b.id, c.id, a.id]]);
  });

  it('comes in pages', async () => {
    const { submit, queue } = await setUp();
    for (let i = 1; i <= 5; i++) await submit(numbered(i));
    const pages = await queue(agentId, 2);
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  });

  it('holds nothing of another agent or tenant', async () => {
    const { submit, queue, tasks } = await setUp();
    await submit(aTask('queued'));
    expect((await queue(idOf('agent', ulid(77)))).flat()).toEqual([]);
    expect(await tasks.record('other', taskId)).toBeUndefined();
  });
});

describe('a commit', () => {
  it('writes the new state and its events, and removes what is gone', async () => {
    const { table, tasks, running, live } = await setUp();
    const task = await running();
    const { runtimeId: _runtime, startedMs: _started, leaseUntilMs: _lease, ...rest } = task;
    const queued: LiveTask = { ...rest, status: 'queued', version: task.version + 1 };
    const event = anEvent('task.requeued');
    await tasks.commit(task, queued, [event]);
    expect(await live(task)).toEqual(queued);
    expect((await table.get(liveKey(tenant, agentId, task.place, task.id), true))?.events).toEqual([event]);
  });

  it('leaves no events of an earlier write', async () => {
    const { table, tasks, running } = await setUp();
    const task = await running();
    await tasks.commit(task, { ...task, version: task.version + 1 }, []);
    expect(await table.get(liveKey(tenant, agentId, task.place, task.id), true)).not.toHaveProperty('events');
  });

  it('under an old version is a conflict, and changes nothing', async () => {
    const { tasks, running, live } = await setUp();
    const task = await running();
    const queued = aTask('queued');
    const twin = claim(queued, otherRuntimeId, nowMs).task;
    await expect(tasks.commit(queued, twin, [])).rejects.toThrow(Conflict);
    expect(await live(task)).toEqual(task);
  });

  it('of a row that is gone is a conflict', async () => {
    const { tasks } = await setUp();
    const queued = aTask('queued');
    await expect(tasks.commit(queued, claim(queued, runtimeId, nowMs).task, [])).rejects.toThrow(Conflict);
  });

  it('of two at once lets one through', async () => {
    const { tasks, submit } = await setUp();
    const queued = aTask('queued');
    await submit(queued);
    const outcomes = await Promise.allSettled(
      [runtimeId, otherRuntimeId].map((id) => tasks.commit(queued, claim(queued, id, nowMs).task, [])),
    );
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('a lease', () => {
  it('is extended without a new version', async () => {
    const { tasks, running, live } = await setUp();
    const task = await running();
    const extended = { ...task, leaseUntilMs: nowMs + 99_000 };
    expect(await tasks.extendLease(task, nowMs + 99_000)).toEqual(extended);
    expect(await live(task)).toEqual(extended);
  });

  it('keeps what the attempt has used until then', async () => {
    const { tasks, running, live } = await setUp();
    const task = await running();
    const used = priced(0.01, { wallSeconds: 20, inputTokens: 7 });
    expect(await tasks.extendLease(task, nowMs + 99_000, used)).toMatchObject({ used });
    expect(await tasks.extendLease(task, nowMs + 99_000)).toMatchObject({ used });
    expect(await live(task)).toMatchObject({ used: { inputTokens: 7, costUsd: 0.2 } });
  });

  it('of another fence or another runtime is a conflict', async () => {
    const { tasks, running } = await setUp();
    const task = await running();
    await expect(tasks.extendLease({ ...task, attempt: 2 }, nowMs)).rejects.toThrow(Conflict);
    await expect(tasks.extendLease({ ...task, runtimeId: otherRuntimeId }, nowMs)).rejects.toThrow(Conflict);
  });

  it('of a task that has ended is a conflict', async () => {
    const { tasks, finished } = await setUp();
    const task = await finished();
    await expect(tasks.extendLease({ ...task, runtimeId }, nowMs)).rejects.toThrow(Conflict);
  });
});

describe('settling', () => {
  it('moves the outcome to the record and removes the live row', async () => {
    const { tasks, finished, live } = await setUp();
    const outcome = { output: { a: 1 }, outputBytes: 7, usage: { wallSeconds: 1 }, generation: 3 };
    const task = await finished(outcome);
    await tasks.settle(task);
    expect(await live(task)).toBeUndefined();
    expect(await tasks.record(tenant, task.id)).toEqual({
      ...recordOf(task),
      ...outcome,
      status: 'succeeded',
      attempt: 1,
      failures: 0,
      startedMs: nowMs,
      finishedMs: nowMs + 1000,
    });
  });

  it('twice is settling once', async () => {
    const { tasks, finished, queue } = await setUp();
    const task = await finished();
    await tasks.settle(task);
    const record = await tasks.record(tenant, task.id);
    await tasks.settle(task);
    expect(await tasks.record(tenant, task.id)).toEqual(record);
    expect((await queue()).flat()).toEqual([]);
  });

  it('again finishes what a crash left', async () => {
    const { tasks, environment, finished, live } = await setUp();
    const task = await finished();
    crashAfter(environment, 'UpdateItem');
    await expect(tasks.settle(task)).rejects.toThrow('InternalServerError');
    expect(await live(task)).toEqual(task);
    await tasks.settle(task);
    expect(await live(task)).toBeUndefined();
    expect((await tasks.record(tenant, task.id))?.output).toBe('done');
  });

  it('keeps the error of a cancel', async () => {
    const { tasks, submit } = await setUp();
    const queued = aTask('queued');
    await submit(queued);
    const { task } = cancelled(queued, 'it had not started', nowMs);
    await tasks.commit(queued, task, []);
    await tasks.settle(task);
    const record = await tasks.record(tenant, task.id);
    expect(record).toMatchObject({ status: 'cancelled', error: task.outcome.error, attempt: 0 });
    expect(record).not.toHaveProperty('startedMs');
  });

  it('is refused for a task that has not ended', async () => {
    const { tasks, running } = await setUp();
    await expect(tasks.settle(await running())).rejects.toThrow(`Task ${taskId} is running: it can't be settled.`);
  });
});

describe('a drafted output', () => {
  it('counts once its fence is committed and settled', async () => {
    const { tasks, running } = await setUp();
    const task = await running();
    await tasks.draftOutput(tenant, task.id, 1, { large: true });
    expect(await tasks.record(tenant, task.id)).toEqual(recordOf(task));
    const after = succeed(task, { drafted: 1, outputBytes: 5000 }, nowMs + 1000).task;
    await tasks.commit(task, after, []);
    await tasks.settle(after);
    const record = await tasks.record(tenant, task.id);
    expect(record).toMatchObject({ status: 'succeeded', output: { large: true }, outputBytes: 5000 });
    expect(record).not.toHaveProperty('draft');
  });

  it('of an attempt that died before its commit is replaced by that of the next', async () => {
    const { tasks, running } = await setUp();
    const task = await running();
    await tasks.draftOutput(tenant, task.id, 1, 'first');
    const again = { ...task, attempt: 2, version: task.version + 1 };
    await tasks.commit(task, again, []);
    await tasks.draftOutput(tenant, task.id, 2, 'second');
    const after = succeed(again, { drafted: 2 }, nowMs).task;
    await tasks.commit(again, after, []);
    await tasks.settle(after);
    expect((await tasks.record(tenant, task.id))?.output).toBe('second');
  });

  it('of a late twin does not replace that of a newer attempt', async () => {
    const { tasks, running } = await setUp();
    const task = { ...(await running()), attempt: 2 };
    await tasks.draftOutput(tenant, task.id, 2, 'new');
    await tasks.draftOutput(tenant, task.id, 1, 'late');
    await tasks.settle(succeed(task, { drafted: 2 }, nowMs).task);
    expect((await tasks.record(tenant, task.id))?.output).toBe('new');
  });

  it('of a late twin does not reach a settled record', async () => {
    const { tasks, finished } = await setUp();
    const task = await finished();
    await tasks.settle(task);
    await tasks.draftOutput(tenant, task.id, 9, 'late');
    expect((await tasks.record(tenant, task.id))?.output).toBe('done');
  });

  it('is settled once, even if settling is repeated after a crash', async () => {
    const { tasks, environment, running } = await setUp();
    const task = await running();
    await tasks.draftOutput(tenant, task.id, 1, 'drafted');
    const after = succeed(task, { drafted: 1 }, nowMs).task;
    await tasks.commit(task, after, []);
    crashAfter(environment, 'UpdateItem');
    await expect(tasks.settle(after)).rejects.toThrow('InternalServerError');
    await tasks.settle(after);
    expect((await tasks.record(tenant, task.id))?.output).toBe('drafted');
  });
});

describe('progress', () => {
  it('is in the record until the task ends', async () => {
    const { tasks, finished } = await setUp();
    const task = await finished();
    await tasks.setProgress(tenant, task.id, { percent: 50 });
    await tasks.settle(task);
    await tasks.setProgress(tenant, task.id, { percent: 60 });
    expect((await tasks.record(tenant, task.id))?.progress).toEqual({ percent: 50 });
  });

  it('of a task that is not there is no record', async () => {
    const { tasks } = await setUp();
    await tasks.setProgress(tenant, taskId, 1);
    expect(await tasks.record(tenant, taskId)).toBeUndefined();
  });
});

describe('lists', () => {
  const count = 23;
  const names = (from: number, to: number) =>
    Array.from({ length: from - to + 1 }, (_, i) => idOf('task', ulid(from - i), agentId));

  /** All pages of a list, as ids. */
  async function pagesOf(
    read: (before: string | undefined) => Promise<{ items: { id: string }[]; next: string | undefined }>,
  ) {
    const pages: string[][] = [];
    let before: string | undefined;
    do {
      const page = await read(before);
      pages.push(page.items.map((item) => item.id));
      before = page.next;
    } while (before);
    return pages;
  }

  it('of an agent’s records are newest first, page by page', async () => {
    const { tasks, submit } = await setUp();
    for (let i = 1; i <= count; i++) await submit(numbered(i));
    for (const limit of [1, 5, count]) {
      const pages = await pagesOf((before) => tasks.pageOfAgent(tenant, agentId, limit, before));
      expect(pages.flat()).toEqual(names(count, 1));
      expect(pages).toHaveLength(Math.ceil(count / limit));
    }
  });

  it('of an agent’s records do not end where 1 MB of large inputs ends', async () => {
    const { tasks, submit } = await setUp();
    for (let i = 1; i <= 20; i++) await submit(numbered(i), { input: 'x'.repeat(65_000) });
    const page = await tasks.pageOfAgent(tenant, agentId, 20, undefined);
    expect(page.items).toHaveLength(20);
    expect(page.next).toBeUndefined();
  });

  it('of a tenant’s records are newest first over all shards, page by page', async () => {
    const { tasks, submit } = await setUp();
    const all = Array.from({ length: count }, (_, i) => numbered(i + 1));
    expect(new Set(all.map((task) => listEntry(tenant, 'tasks', task.id).listPk)).size).toBeGreaterThan(2);
    for (const task of all) await submit(task);
    for (const limit of [1, 5, count]) {
      const pages = await pagesOf((before) => tasks.page(tenant, limit, before));
      expect(pages.flat()).toEqual(names(count, 1));
      expect(pages).toHaveLength(Math.ceil(count / limit));
    }
  });

  it('of unfinished tasks lose a task when it is settled', async () => {
    const { tasks, finished, submit } = await setUp();
    const task = await finished();
    await submit(numbered(9));
    expect((await tasks.pageOfOpen(tenant, 10, undefined)).items).toHaveLength(2);
    await tasks.settle(task);
    expect((await tasks.pageOfOpen(tenant, 10, undefined)).items).toEqual([numbered(9)]);
    expect((await tasks.page(tenant, 10, undefined)).items).toHaveLength(2);
  });

  it('show nothing of another tenant', async () => {
    const { tasks, submit } = await setUp();
    await submit(aTask('queued'));
    for (const page of [await tasks.page('other', 10, undefined), await tasks.pageOfOpen('other', 10, undefined)])
      expect(page).toEqual({ items: [], next: undefined });
  });

  it('by id keep the order of the ids and leave out what is not there', async () => {
    const { tasks, submit } = await setUp();
    for (const i of [1, 2, 3]) await submit(numbered(i));
    const wanted = [3, 8, 1].map((number) => idOf('task', ulid(number), agentId));
    expect((await tasks.records(tenant, wanted)).map((record) => record.id)).toEqual([wanted[0], wanted[2]]);
  });
});
