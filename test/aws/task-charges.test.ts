import { describe, expect, it } from 'vitest';
import { Conflict } from '../../lib/app/ports.ts';
import { headKey } from '../../lib/aws/keys.ts';
import { mostOfAnything, priced } from '../../lib/domain/cost.ts';
import { agentHead } from '../../lib/domain/head.ts';
import { claim, type QueuedTask, type RunningTask, release, succeed } from '../../lib/domain/task.ts';
import { agentId, aTask, nowMs, runtimeId } from '../support/builders.ts';
import { setUp, tenant } from './tasks.ts';

describe('an attempt of an agent with a budget', () => {
  const usage = { inputTokens: 3, outputTokens: 4, costUsd: 0.000000123 };
  const head = headKey(agentHead(tenant, agentId));

  it('ends together with what its agent has used, and is counted once', async () => {
    const { table, tasks, submit, live } = await setUp();
    await table.putNew({ ...head, usedTokens: 5, usedCostUsd: 0 });
    const queued = aTask('queued');
    await submit(queued);
    const { task } = claim(queued, runtimeId, nowMs, { charged: true });
    await tasks.commit(queued, task, []);
    const { task: after } = succeed(task, { usage }, nowMs);
    await tasks.commit(task, after, []);
    await expect(tasks.commit(task, after, [])).rejects.toThrow(Conflict);
    expect(await table.get(head, true)).toMatchObject({ usedTokens: 12, usedCostUsd: 0.000000123 });
    expect(await live(task)).toMatchObject({ status: 'succeeded' });
  });

  it('ends also when the count has left all bounds', async () => {
    const { table, tasks, submit, live } = await setUp();
    await table.putNew({ ...head, usedTokens: mostOfAnything, usedCostUsd: 0 });
    const queued = aTask('queued');
    await submit(queued);
    const { task } = claim(queued, runtimeId, nowMs, { charged: true });
    await tasks.commit(queued, task, []);
    await tasks.commit(task, succeed(task, { usage }, nowMs).task, []);
    expect(await live(task)).toMatchObject({ status: 'succeeded' });
    expect(await table.get(head, true)).toMatchObject({ usedTokens: mostOfAnything });
  });

  it('leaves nothing of its usage to the next', async () => {
    const { tasks, running, live } = await setUp();
    const task = await running();
    // A heartbeat that comes between the look of an end and its write.
    await tasks.extendLease(task, nowMs + 99_000, priced(0.01, { wallSeconds: 20, inputTokens: 7 }));
    await tasks.commit(task, release(task, 'its runtime stops', nowMs).task, []);
    const queued = (await live(task)) as QueuedTask;
    await tasks.commit(queued, claim(queued, runtimeId, nowMs).task, []);
    expect((await live(task)) as RunningTask).not.toHaveProperty('used');
  });

  it('of any other agent is counted nowhere', async () => {
    const { table, tasks, running } = await setUp();
    await table.putNew({ ...head });
    const task = await running();
    await tasks.commit(task, succeed(task, { usage }, nowMs).task, []);
    expect(await table.get(head, true)).toEqual(head);
  });
});
