import { type Bill, billOf } from '../../../bench/billing.ts';
import { prices } from '../../../bench/prices.ts';
import { without } from '../../../bench/usage.ts';
import { listening, upkeep } from './census.ts';
import type { Day } from './day.ts';

export interface Aim {
  what: string;
  aim: string;
  measured: string;
  met: boolean;
}

export interface Verdict {
  aims: Aim[];
  isMet: boolean;
}

/** How much more a task may ask for in a big fleet than in a small one. */
export const mostGrowth = 0.05;

/** Requests per task by service and operation, those of Lambda's invocations too; without polling and the sweep. */
export function requestsOf({ usage, accepted }: Day): Map<string, number> {
  const requests = new Map<string, number>();
  const add = (kind: string, count: number) => requests.set(kind, (requests.get(kind) ?? 0) + count / accepted);
  for (const [actor, used] of Object.entries(without(usage, upkeep, listening))) {
    if (used.invocations > 0) add(`lambda Invoke of ${actor}`, used.invocations);
    for (const [kind, { count }] of Object.entries(used.requests)) add(kind, count);
  }
  return requests;
}

/** By which part of itself the sum of the requests per task grows from the small fleet to the big one. */
export function growthOf({ small, big }: { small: Day; big: Day }): number {
  const sum = (day: Day) => [...requestsOf(day).values()].reduce((total, one) => total + one, 0);
  return sum(big) / sum(small) - 1;
}

/** Without what a deployment asks for by itself. */
export function controlPlane({ usage, logBytes }: Day): Bill {
  return billOf(without(usage, upkeep), logBytes);
}

export function computeDollars({ fargate }: Day): number {
  const { vcpuSeconds, gibSeconds, seconds } = fargate;
  return (
    vcpuSeconds * prices.fargateArmVcpuSecond +
    gibSeconds * prices.fargateArmGbSecond +
    seconds * prices.publicAddressSecond
  );
}

export function verdictOf(fleets: { small: Day; big: Day }): Verdict {
  const { big, small } = fleets;
  const growth = growthOf(fleets);
  const none = (what: string, of: (day: Day) => number): Aim => {
    const measured = of(big) + of(small);
    return { what, aim: '0', measured: String(measured), met: measured === 0 };
  };
  const aims: Aim[] = [
    none('tasks lost', ({ lost, plan, accepted }) => lost + plan.tasks - accepted),
    none('tasks finished twice', ({ finishedTwice }) => finishedTwice),
    none('ECS tasks left', ({ orphans }) => orphans.ecsTasks),
    none('bells left', ({ orphans }) => orphans.bells),
    none('objects of agents left in the bucket', ({ orphans }) => orphans.objects),
    none('parameters left', ({ orphans }) => orphans.parameters),
    none('schedules left in EventBridge Scheduler', ({ orphans }) => orphans.schedules),
    none('invariants broken', ({ violation }) => (violation === undefined ? 0 : 1)),
    {
      what: 'requests per task, as against the small fleet',
      aim: `at most ${mostGrowth * 100} % more`,
      measured: `${(growth * 100).toFixed(1)} %`,
      met: growth <= mostGrowth,
    },
  ];
  return { aims, isMet: aims.every(({ met }) => met) };
}
