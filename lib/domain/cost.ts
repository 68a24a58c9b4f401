/** Resources that one attempt used. */
export interface Usage {
  wallSeconds: number;
  vcpuSeconds: number;
  memoryGiBSeconds: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: number;
}

export interface Size {
  /** CPU units: 1024 are one vCPU. */
  cpu: number;
  memoryMiB: number;
  architecture: 'arm64' | 'x86_64';
  capacity: 'on-demand' | 'spot';
}

/**
 * Fargate in us-east-1, dollars per hour: Linux/ARM from the AWS Price List API of 2026-08-28, Linux/x86 of 2026-10-08.
 * Spot is "up to 70 % off"; no rate is published, so it is taken as 70 % off.
 */
const perHour = {
  arm64: { vcpu: 0.03238, gib: 0.00356 },
  x86_64: { vcpu: 0.04048, gib: 0.004445 },
} as const;
const spotFactor = 0.3;

/** The share of a container's price that an attempt takes: its reserved size for its wall time, shared by concurrent tasks. */
export function usageOf(
  size: Size,
  wallSeconds: number,
  concurrency: number,
  measured: {
    vcpuSeconds?: number | undefined;
    inputTokens?: number | undefined;
    outputTokens?: number | undefined;
  } = {},
): Usage {
  const price = perHour[size.architecture];
  const factor = size.capacity === 'spot' ? spotFactor : 1;
  const share = wallSeconds / concurrency;
  const memoryGiBSeconds = (size.memoryMiB / 1024) * share;
  const costUsd = (factor * ((size.cpu / 1024) * share * price.vcpu + memoryGiBSeconds * price.gib)) / 3600;
  return {
    wallSeconds: round(wallSeconds, 3),
    vcpuSeconds: round(measured.vcpuSeconds ?? (size.cpu / 1024) * share, 3),
    memoryGiBSeconds: round(memoryGiBSeconds, 3),
    inputTokens: measured.inputTokens ?? 0,
    outputTokens: measured.outputTokens ?? 0,
    costUsd: round(costUsd, 9),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
