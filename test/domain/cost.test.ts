import { describe, expect, it } from 'vitest';
import { type Size, usageOf } from '../../lib/domain/cost.ts';

const small: Size = { cpu: 1024, memoryMiB: 2048, architecture: 'arm64', capacity: 'on-demand' };

describe('the usage of an attempt', () => {
  it('costs an hour of one vCPU and 2 GiB what Fargate charges for it', () => {
    expect(usageOf(small, 1, { wallSeconds: 3600 }).costUsd).toBe(0.0395);
    expect(usageOf({ ...small, architecture: 'x86_64' }, 1, { wallSeconds: 3600 }).costUsd).toBe(0.04937);
  });

  it('costs three tenths on Spot', () => {
    expect(usageOf({ ...small, capacity: 'spot' }, 1, { wallSeconds: 3600 }).costUsd).toBe(0.01185);
  });

  it('is shared by the tasks that run at the same time', () => {
    expect(usageOf(small, 4, { wallSeconds: 100 })).toMatchObject({
      wallSeconds: 100,
      vcpuSeconds: 25,
      memoryGiBSeconds: 50,
    });
  });

  it('tells the CPU that was measured, and costs what was reserved', () => {
    const usage = usageOf(small, 1, { wallSeconds: 3600, vcpuSeconds: 12.3456, inputTokens: 7, outputTokens: 8 });
    expect(usage).toMatchObject({ vcpuSeconds: 12.346, inputTokens: 7, outputTokens: 8, costUsd: 0.0395 });
  });

  it('of no time costs nothing', () => {
    expect(usageOf(small, 1, { wallSeconds: 0 })).toEqual({
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
