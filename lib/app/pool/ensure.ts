import { poolHead } from '../../domain/head.ts';
import { newPool } from '../../domain/pool.ts';
import type { Deps } from '../deps.ts';
import type { TemplateSpec } from '../ports.ts';

/** Longer than a function that changes a template can live. */
const lookMs = 60_000;

/**
 * Has the pool of a template looked at around a change of it: due before the change, so that it is looked at whatever
 * happens then, and nudged after it. A template that never had a pool and wants none pays nothing.
 */
export async function aroundPoolChange<T>(
  deps: Deps,
  tenant: string,
  template: string,
  specs: readonly (TemplateSpec | undefined)[],
  change: () => Promise<T>,
): Promise<T> {
  if (!specs.some((spec) => spec && spec.warmPool > 0)) return change();
  const head = poolHead(tenant, template);
  const nowMs = deps.now();
  await deps.pools.create({ ...newPool(tenant, template, nowMs), dueAtMs: nowMs + lookMs });
  await deps.due.lower(head, nowMs + lookMs);
  const result = await change();
  await deps.queues.nudge([head]);
  return result;
}
