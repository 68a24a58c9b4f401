import { expect } from 'vitest';
import type { FunctionCall, TestStack } from '../support/stack.ts';

/** One AWS call of a run: the n-th one of its kind, such as the second `dispatch UpdateItem`. */
interface CallSite {
  name: string;
  occurrence: number;
  /** Dying before it is dying after another one: that of the same invocation which ended last. */
  follows: boolean;
}

function nameOf({ function: name, request }: FunctionCall): string {
  const operation = request.headers['x-amz-target']?.split('.').at(-1);
  return `${name} ${operation ?? `${request.method} ${request.path.split('/')[1]}`}`;
}

/** `npm test` tries one of so many calls and the first one of each function, `npm run test:crashes` each of them. */
const every = process.env.ROUSE_CRASHES === 'all' ? 1 : 5;

/** A read has no effect: dying before or after it is dying before the next write, or after the last one. */
const isRead = (name: string) => /Get|Query|GET/.test(name);

/** Performs what a test itself asks: nothing dies at it, and its calls do not count. */
export type Aside = <T>(look: () => Promise<T>) => Promise<T>;

/**
 * Performs a run again and again on one stack, with the process of a function dying at one of its AWS calls: before it,
 * or after it took effect. Calls at which it would leave what it leaves at another one are not tried. The run itself
 * finds out whether all ended well. `npm test` tries a fifth of them.
 *
 * @param isMeant picks the calls; the others do here what they do everywhere
 * @param least how often a function has to have died when each call is tried
 * @returns the functions that have died
 */
export async function crashEverywhere(
  stack: TestStack,
  fate: 'before' | 'after',
  isMeant: (call: FunctionCall) => boolean,
  least: number,
  run: (aside: Aside) => Promise<void>,
): Promise<Set<string>> {
  let asides = 0;
  const aside: Aside = async (look) => {
    asides += 1;
    try {
      return await look();
    } finally {
      asides -= 1;
    }
  };
  const crashed = async (crash: TestStack['crash']) => {
    stack.crash = crash && ((call) => (asides > 0 ? undefined : crash(call)));
    await run(aside);
    stack.crash = undefined;
  };
  // What a function reads once and remembers is read now.
  await crashed(undefined);
  const sites: CallSite[] = [];
  const counts = new Map<string, number>();
  /** Invocations that have written something. */
  const writing = new Set<object>();
  await crashed((call) => {
    const name = nameOf(call);
    const occurrence = (counts.get(name) ?? 0) + 1;
    counts.set(name, occurrence);
    if (isRead(name)) return undefined;
    const invocation = stack.running;
    const follows = invocation !== undefined && writing.has(invocation) && invocation.underWay === 0;
    if (invocation) writing.add(invocation);
    if (isMeant(call)) sites.push({ name, occurrence, follows });
    return undefined;
  });
  const failures: string[] = [];
  let deaths = 0;
  const dead = new Set<string>();
  const distinct = sites.filter(({ follows }) => fate === 'after' || !follows);
  for (const site of distinct.filter(isTried)) {
    let seen = 0;
    let died = false;
    const crash = (call: FunctionCall) => {
      if (died || nameOf(call) !== site.name || ++seen !== site.occurrence) return undefined;
      died = true;
      deaths += 1;
      dead.add(call.function);
      return fate;
    };
    await crashed(crash).catch((error) => {
      const reason = error instanceof Error ? error.message.split('\n').slice(0, 12).join(' ') : String(error);
      failures.push(`${fate} ${site.name} #${site.occurrence}: ${reason}`);
    });
  }
  expect(failures).toEqual([]);
  expect(deaths).toBeGreaterThan(least / every);
  return dead;
}

function isTried({ name }: CallSite, index: number, all: CallSite[]): boolean {
  const functionOf = (site: string) => site.split(' ')[0];
  return index % every === 0 || all.findIndex((one) => functionOf(one.name) === functionOf(name)) === index;
}

/** Lets time pass until `isDone`, a while at a time: the longest wait is for a task that ECS never showed (15 minutes). */
export async function eventually(stack: TestStack, what: string, isDone: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 1500; waited += 15) {
    if (await isDone()) return;
    await stack.advance(15);
  }
  throw new Error(
    `${what}: ${stack.fleet.living.length} containers and ${(await stack.bells()).length} bells are left.`,
  );
}
