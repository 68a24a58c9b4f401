import { describe, expect, it } from 'vitest';
import { billOf, totalOf } from '../bench/billing.ts';
import { percentile } from '../bench/statistics.ts';
import { number, table } from '../bench/table.ts';
import { type ActorUsage, requestCount, shareOf } from '../bench/usage.ts';
import { timesOf } from '../bench/workflows.ts';

const million = 1_000_000;

function used(given: Partial<ActorUsage> = {}): ActorUsage {
  return { invocations: 0, memoryMiB: 512, medianMs: 0, meanMs: 0, requests: {}, ...given };
}

const asked = (kind: string, count: number, units: { readUnits?: number; writeUnits?: number } = {}) =>
  used({ requests: { [kind]: { count, readUnits: 0, writeUnits: 0, ...units } } });

describe('the bill', () => {
  it('charges an invocation behind the HTTP API as a request of both', () => {
    const bill = billOf({ api: used({ invocations: million }) });
    expect(bill['HTTP API requests']).toBeCloseTo(1.0);
    expect(bill['Lambda requests']).toBeCloseTo(0.2);
    expect(totalOf(bill)).toBeCloseTo(1.2);
  });

  it('charges a function that the stream invokes for its invocation only', () => {
    expect(totalOf(billOf({ record: used({ invocations: million }) }))).toBeCloseTo(0.2);
  });

  it('charges memory times time: 512 MiB for 20 ms, a million times', () => {
    const bill = billOf({ record: used({ invocations: million, medianMs: 20 }) });
    expect(bill['Lambda GB-seconds']).toBeCloseTo(0.133334, 6);
  });

  it('charges the receive and the delete that hand a batch of a queue to a function', () => {
    expect(billOf({ dispatch: used({ invocations: million }) }).SQS).toBeCloseTo(1.0);
    expect(billOf({ timers: used({ invocations: million }) }).SQS).toBeCloseTo(0.8);
  });

  it("charges DynamoDB by units, not by requests, and DynamoDB's reads a fifth of its writes", () => {
    const bill = billOf({ runtime: asked('dynamodb UpdateItem', 1, { writeUnits: million, readUnits: million }) });
    expect(bill['DynamoDB writes']).toBeCloseTo(0.625);
    expect(bill['DynamoDB reads']).toBeCloseTo(0.125);
  });

  it('tells FIFO queues from standard ones', () => {
    expect(billOf({ api: asked('sqs SendMessage', million) }).SQS).toBeCloseTo(0.4);
    expect(billOf({ record: asked('sqs SendMessageBatch (FIFO)', million) }).SQS).toBeCloseTo(0.5);
  });

  it('tells S3 writes from reads, and deletes nothing for money', () => {
    expect(billOf({ shim: asked('s3 PutObject', million) }).S3).toBeCloseTo(5);
    expect(billOf({ runtime: asked('s3 HeadObject', million) }).S3).toBeCloseTo(0.4);
    expect(billOf({ shim: asked('s3 DeleteObject', million) }).S3).toBe(0);
  });

  it("asks nothing for ECS, STS and SSM's standard parameters", () => {
    for (const kind of ['ecs RunTask', 'sts AssumeRole', 'ssm GetParameter'])
      expect(totalOf(billOf({ launch: asked(kind, million) }))).toBe(0);
  });

  it('charges logs by the gigabyte', () => {
    expect(billOf({}, 1e9)['CloudWatch Logs']).toBeCloseTo(0.5);
  });
});

describe('shares', () => {
  it("divide each actor's usage by its own number", () => {
    const usage = { api: used({ invocations: 6 }), runtime: asked('dynamodb GetItem', 8, { readUnits: 4 }) };
    const share = shareOf(usage, (actor) => (actor === 'api' ? 3 : 4));
    expect(share.api?.invocations).toBe(2);
    expect(share.runtime?.requests['dynamodb GetItem']).toEqual({ count: 2, readUnits: 1, writeUnits: 0 });
  });

  it('count invocations as requests', () => {
    expect(requestCount({ api: { ...asked('sqs SendMessage', 2), invocations: 3 } })).toBe(5);
  });
});

describe('figures', () => {
  it('are percentiles by nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, i) => i + 1).reverse();
    expect([percentile(samples, 50), percentile(samples, 99), percentile([7], 99)]).toEqual([50, 99, 7]);
  });

  it('are padded to their columns, and nothing is a dash', () => {
    const rows = [
      ['', 'n'],
      ['reads', number(12.345, 2)],
      ['none', number(0, 2)],
    ];
    expect(table(rows)).toBe(['             n', '  -----  -----', '  reads  12.35', '  none       -'].join('\n'));
  });
});

describe('the times of a task', () => {
  it('are read on until its end has come', async () => {
    const event = (type: string, second: number) => ({ type, time: `2026-11-22T00:00:0${second}.000Z` });
    const pages = [[], [event('task.queued', 1)], [], [event('task.started', 2), event('task.succeeded', 3)]];
    const cursors: (string | null)[] = [];
    const times = await timesOf(async (path) => {
      cursors.push(new URLSearchParams(path.split('?')[1]).get('after'));
      return { items: pages[cursors.length - 1]!, nextCursor: `c${cursors.length}` };
    }, 'tsk_1');
    expect(times.endedMs - times.queuedMs).toBe(2000);
    expect(cursors).toEqual([null, 'c1', 'c2', 'c3']);
  });
});
