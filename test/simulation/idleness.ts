import type { World } from './world.ts';

const minuteMs = 60_000;
const idleMinutes = 6;
/** Two looks at the fleet, a dozen calls each, and last looks at what was just removed. */
const mostCalls = 100;

/** The sweep comes every minute, and queues are asked for messages whatever happens. */
const always = (name: string, operation: string) => name === 'sweep' || operation === 'ReceiveMessage';

/** Invariants 8 and 10: where nothing happens nothing is asked of AWS, however much has happened before. */
export async function checkIdleness(world: World): Promise<void> {
  const counts = new Map<string, number>();
  const end = world.stack.aws.observe(({ principal, operation }) => {
    const name = principal?.includes(':assumed-role/') ? principal.slice(principal.lastIndexOf('/') + 1) : undefined;
    if (name === undefined || always(name, operation)) return;
    counts.set(`${name} ${operation}`, (counts.get(`${name} ${operation}`) ?? 0) + 1);
  });
  await world.runUntil(world.now() + idleMinutes * minuteMs);
  end();
  const calls = [...counts].sort(([, a], [, b]) => b - a);
  const total = calls.reduce((sum, [, count]) => sum + count, 0);
  if (total <= mostCalls) return;
  const most = calls.slice(0, 5).map(([name, count]) => `${name} ${count}`);
  world.fail(`Nothing happens, and AWS is called ${total} times in ${idleMinutes} minutes: ${most.join(', ')}.`);
}
