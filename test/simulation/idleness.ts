import type { Ledger } from './ledger.ts';
import type { World } from './world.ts';

const minuteMs = 60_000;
const idleMinutes = 6;
/** Two looks at the fleet, a dozen calls each, and looks at what was just removed. */
const mostCalls = 100;
/** What was on its way to an agent that ended is looked for once more, after so long, by so many calls at most. */
const lastLookMs = 65 * minuteMs;
const callsOfLastLook = 10;

/** The sweep comes every minute, and queues are asked for messages whatever happens. */
const always = (name: string, operation: string) => name === 'sweep' || operation === 'ReceiveMessage';

/** Invariants 8 and 10: where nothing happens nothing is asked of AWS, however much has happened before. */
export async function checkIdleness(world: World, ledger: Ledger): Promise<void> {
  const fromMs = world.now();
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
  const lastLooks = [...ledger.agents.values()].filter(({ status, statusSinceMs }) => {
    const lookMs = statusSinceMs + lastLookMs;
    return status === 'terminated' && lookMs > fromMs - minuteMs && lookMs < world.now();
  });
  if (total <= mostCalls + lastLooks.length * callsOfLastLook) return;
  const most = calls.slice(0, 5).map(([name, count]) => `${name} ${count}`);
  world.fail(`Nothing happens, and AWS is called ${total} times in ${idleMinutes} minutes: ${most.join(', ')}.`);
}
