/** Resources that one attempt used. */
export interface Usage {
  wallSeconds: number;
  vcpuSeconds: number;
  memoryGiBSeconds: number;
  inputTokens: number;
  outputTokens: number;
  /** What its program says that it spent, of `costUsd`. */
  reportedCostUsd: number;
  costUsd: number;
}

/** What is known of an attempt without its price. */
export interface Measured {
  wallSeconds: number;
  vcpuSeconds?: number | undefined;
  memoryGiBSeconds?: number | undefined;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  reportedCostUsd?: number | undefined;
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

/** Dollars per second of the share of a container that an attempt takes: the size is shared by concurrent tasks. */
export function costPerSecond({ architecture, capacity, cpu, memoryMiB }: Size, concurrency: number): number {
  const price = perHour[architecture];
  const factor = capacity === 'spot' ? spotFactor : 1;
  return (factor * ((cpu / 1024) * price.vcpu + (memoryMiB / 1024) * price.gib)) / concurrency / 3600;
}

/** What was measured, with what it costs at so many dollars a second. */
export function priced(usdPerSecond: number, measured: Measured): Usage {
  const { wallSeconds, vcpuSeconds = 0, memoryGiBSeconds = 0, reportedCostUsd = 0 } = measured;
  return {
    wallSeconds: round(wallSeconds, 3),
    vcpuSeconds: round(vcpuSeconds, 3),
    memoryGiBSeconds: round(memoryGiBSeconds, 3),
    inputTokens: Math.round(measured.inputTokens ?? 0),
    outputTokens: Math.round(measured.outputTokens ?? 0),
    reportedCostUsd: round(reportedCostUsd, 9),
    costUsd: round(usdPerSecond * wallSeconds + reportedCostUsd, 9),
  };
}

/** What several attempts have used. */
export function sumOf(before: Partial<Usage> | undefined, usage: Partial<Usage> | undefined) {
  return before && usage ? combined(before, usage, 1) : (before ?? usage);
}

/** What was used since. */
export function sinceThen(before: Partial<Usage> | undefined, now: Partial<Usage> | undefined) {
  return before && now ? combined(now, before, -1) : now;
}

function combined(one: Partial<Usage>, other: Partial<Usage>, sign: 1 | -1): Partial<Usage> {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof Usage>;
  // Dollars have nine digits; more would only be noise of the addition.
  const amounts = [...names].map((name) => [name, round(bounded((one[name] ?? 0) + sign * (other[name] ?? 0)), 9)]);
  return Object.fromEntries(amounts) as Partial<Usage>;
}

/** Far more than anybody can use, and far from where numbers lose their digits. */
export const mostOfAnything = 1e15;

const bounded = (amount: number) => Math.min(amount, mostOfAnything);

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
