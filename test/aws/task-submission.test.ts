import type { PutCommandInput, TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { describe, expect, it } from 'vitest';
import type { Table } from '../../lib/aws/table.ts';
import { cancelled } from '../../lib/domain/task.ts';
import { aTask, nowMs } from '../support/builders.ts';
import { crashAfter } from './tables.ts';
import { recordOf, setUp, tenant } from './tasks.ts';

/** Lets `meanwhile` happen right before the next write of a live row. */
function beforePlacing({ client }: Table, meanwhile: () => Promise<void>): void {
  const send = client.send.bind(client);
  client.send = async (command: { input: object }) => {
    const { Item, TransactItems } = command.input as Partial<PutCommandInput & TransactWriteCommandInput>;
    const placed = Item ?? TransactItems?.find(({ Put }) => Put)?.Put?.Item;
    if (String(placed?.sk).startsWith('live#')) {
      client.send = send;
      await meanwhile();
    }
    return send(command as never);
  };
}

describe('submitting', () => {
  it('makes a record and a live row', async () => {
    const { tasks, submit, live } = await setUp();
    const task = aTask('queued', { expiresMs: nowMs + 5 });
    await submit(task);
    expect(await tasks.record(tenant, task.id)).toEqual(recordOf(task));
    expect(await live(task)).toEqual(task);
  });

  it('twice is submitting once', async () => {
    const { submit, queue, tasks } = await setUp();
    const task = aTask('queued');
    await submit(task);
    await submit(task, { input: 'other' });
    expect(await queue()).toEqual([[task.id]]);
    expect((await tasks.record(tenant, task.id))?.input).toBe('go');
  });

  it('again makes the live row that a crash left out', async () => {
    const { environment, submit, live } = await setUp();
    const task = aTask('queued');
    crashAfter(environment, 'PutItem');
    await expect(submit(task)).rejects.toThrow('InternalServerError');
    expect(await live(task)).toBeUndefined();
    await submit(task);
    expect(await live(task)).toEqual(task);
  });

  it('again leaves a task that was claimed meanwhile as it is', async () => {
    const { submit, running, live } = await setUp();
    const task = await running();
    await submit(aTask('queued'));
    expect(await live(task)).toEqual(task);
  });

  it('again does not bring back a task that has ended', async () => {
    const { submit, finished, tasks, queue } = await setUp();
    await tasks.settle(await finished());
    await submit(aTask('queued'));
    expect((await queue()).flat()).toEqual([]);
  });

  it('again does not bring back a task that ends in this moment', async () => {
    const { table, submit, finished, tasks, queue } = await setUp();
    const task = await finished();
    beforePlacing(table, () => tasks.settle(task));
    await submit(aTask('queued'));
    expect((await queue()).flat()).toEqual([]);
    expect(await tasks.record(tenant, task.id)).toMatchObject({ status: 'succeeded' });
  });

  it('that was held up does not bring back what its repetition has brought to its end', async () => {
    const { table, clock, submit, live, tasks, queue } = await setUp();
    const task = aTask('queued', { createdMs: nowMs });
    const send = table.client.send.bind(table.client);
    let isFirst = true;
    table.client.send = async (command: never) => {
      const answer = await send(command);
      if (!isFirst) return answer;
      isFirst = false;
      clock.nowMs += 5_000;
      await submit(task);
      const ended = cancelled((await live(task)) as never, 'it had not started', nowMs).task;
      await tasks.commit(task, ended, []);
      await tasks.settle(ended);
      return answer;
    };
    await submit(task);
    expect((await queue()).flat()).toEqual([]);
    expect(await tasks.record(tenant, task.id)).toMatchObject({ status: 'cancelled' });
  });
});
