import type { Spent } from './drivers/driver.ts';
import type { Usage } from './protocol.ts';

/** What this container has, as its task's metadata says; zeros where nobody says. */
export interface ContainerSize {
  vcpu: number;
  memoryGiB: number;
}

/** Reads the limits of the ECS task. Never throws: usage without them is incomplete, not wrong. */
export async function readContainerSize(
  metadataUrl: string | undefined,
  fetchUrl: typeof fetch,
): Promise<ContainerSize> {
  if (metadataUrl === undefined) return { vcpu: 0, memoryGiB: 0 };
  try {
    const response = await fetchUrl(`${metadataUrl}/task`, { signal: AbortSignal.timeout(5_000) });
    const { Limits } = (await response.json()) as { Limits?: { CPU?: number; Memory?: number } };
    return { vcpu: Limits?.CPU ?? 0, memoryGiB: (Limits?.Memory ?? 0) / 1024 };
  } catch {
    return { vcpu: 0, memoryGiB: 0 };
  }
}

/** A task's part of the container: the whole of it for its time, divided by how many may run at once. */
export function usageOf(wallMs: number, size: ContainerSize, concurrency: number, spent: Spent): Usage {
  const wallSeconds = Math.max(0, wallMs) / 1000;
  const share = wallSeconds / concurrency;
  return {
    wallSeconds: rounded(wallSeconds),
    vcpuSeconds: rounded(share * size.vcpu),
    memoryGiBSeconds: rounded(share * size.memoryGiB),
    inputTokens: spent.input,
    outputTokens: spent.output,
    reportedCostUsd: spent.costUsd,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
