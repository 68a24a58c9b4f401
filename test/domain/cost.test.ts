import { describe, expect, it } from 'vitest';
import { costPerSecond, mostOfAnything, priced, type Size, sinceThen, sumOf } from '../../lib/domain/cost.ts';

const small: Size = { cpu: 1024, memoryMiB: 2048, architecture: 'arm64', capacity: 'on-demand' };
const hour = (size: Size, concurrency = 1) =>
  priced(costPerSecond(size, concurrency), { wallSeconds: 3600 }).costUsd.toFixed(6);

describe('the price of an attempt', () => {
  it('is for an hour of one vCPU and 2 GiB what Fargate charges for it', () => {
    expect(hour(small)).toBe('0.039500');
    expect(hour({ ...small, architecture: 'x86_64' })).toBe('0.049370');
  });

  it('is three tenths on Spot', () => {
    expect(hour({ ...small, capacity: 'spot' })).toBe('0.011850');
  });

  it('is shared by the tasks that run at the same time', () => {
    expect(hour(small, 4)).toBe('0.009875');
  });

  it('comes to what its program says that it spent', () => {
    const usage = priced(0.001, { wallSeconds: 10, vcpuSeconds: 12.3456, inputTokens: 7, reportedCostUsd: 0.5 });
    expect(usage).toMatchObject({ vcpuSeconds: 12.346, inputTokens: 7, reportedCostUsd: 0.5, costUsd: 0.51 });
  });

  it('of no time is nothing', () => {
    expect(priced(0.001, { wallSeconds: 0 })).toEqual({
      wallSeconds: 0,
      vcpuSeconds: 0,
      memoryGiBSeconds: 0,
      inputTokens: 0,
      outputTokens: 0,
      reportedCostUsd: 0,
      costUsd: 0,
    });
  });
});

describe('the usage of several attempts', () => {
  const first = { inputTokens: 3, costUsd: 0.1 };
  const both = { inputTokens: 8, outputTokens: 2, costUsd: 0.3 };

  it('is their sum, and what was used since is the difference', () => {
    const second = sinceThen(first, both);
    expect(second).toEqual({ inputTokens: 5, outputTokens: 2, costUsd: 0.2 });
    expect(sumOf(first, second)).toEqual(both);
    expect([sumOf(undefined, first), sumOf(first, undefined), sinceThen(undefined, first)]).toEqual([
      first,
      first,
      first,
    ]);
  });

  it('never leaves what DynamoDB and numbers can hold', () => {
    const much = { inputTokens: mostOfAnything };
    expect(sumOf(much, much)).toEqual(much);
  });
});
