import { describe, expect, test } from 'vitest';
import { makeLog } from '../../agent/log.ts';
import { type Exit, Loop } from '../../agent/loop.ts';
import type { ClaimedTask, Instructions, RuntimeConfig } from '../../agent/protocol.ts';
import { makeRuntimeClient } from '../../agent/runtime-client.ts';
import { splitStopBudget } from '../../agent/stop-budget.ts';
import type { TaskRun } from '../../agent/task-run.ts';
import { usageOf } from '../../agent/usage.ts';
import { FakeClock } from './support/fake-clock.ts';

/** A loop on a clock that stands still, with an API in a function and tasks that end when the test says so. */
function makeWorld({
  api = () => ({}),
  save = async () => {},
  hold = () => undefined,
  ...config
}: Partial<RuntimeConfig> & {
  /** What an answer waits for. */
  hold?: (route: string) => Promise<void> | undefined;
  api?: (route: string) => (Partial<Instructions> & { goOn?: boolean }) | 'down';
  save?: (signal?: AbortSignal) => Promise<void>;
} = {}) {
  const clock = new FakeClock();
  const calls: { route: string; at: number; body: Record<string, unknown> }[] = [];
  const runs: { task: ClaimedTask; events: string[]; end(): void; use(tokens: number): void }[] = [];
  const startedAt = clock.now();
  const client = makeRuntimeClient({
    apiUrl: 'https://api',
    clock,
    async fetch(url, init) {
      const route = String(url).replace('https://api/v1/runtime/', '');
      calls.push({ route, at: (clock.now() - startedAt) / 1000, body: JSON.parse(String(init?.body)) });
      const said = api(route);
      await hold(route);
      if (said === 'down') throw new Error('the network is away');
      const { goOn = false, ...rest } = said;
      const instructions = { tasks: [], cancel: [], stop: null, nextDueAt: null, activeUntil: null, ...rest };
      return Response.json(route === 'claim' ? instructions : { status: 'ok', stop: !goOn, instructions });
    },
  });
  const loop = new Loop({
    client,
    clock,
    startedAt,
    log: makeLog(() => {}),
    keeper: {
      enter: async () => () => {},
      saveAfterTask: async () => {},
      dueAt: () => null,
      saveNow: async (signal) => {
        calls.push({ route: 'save', at: (clock.now() - startedAt) / 1000, body: {} });
        await save(signal);
      },
    },
    config: {
      driver: { type: 'command', command: ['true'] },
      env: {},
      user: null,
      concurrency: 2,
      idleTimeoutSeconds: 300,
      maxLifetimeSeconds: 3600,
      stopTimeoutSeconds: 120,
      cancelGraceSeconds: 10,
      heartbeatSeconds: 60,
      workspace: { enabled: true, save: 'task', minSaveIntervalSeconds: 30 },
      ...config,
    },
    startTask(task, { settle, onUse }): TaskRun {
      const { promise: finished, resolve } = Promise.withResolvers<void>();
      const events: string[] = [];
      const end = () => void settle((slots) => client.complete(task, { output: null }, [], usage, slots)).then(resolve);
      const amounts = { tokens: 0, costUsd: 0 };
      const use = (tokens: number) => {
        amounts.tokens += tokens;
        onUse();
      };
      runs.push({ task, events, end, use });
      return {
        task,
        finished,
        cancel: () => events.push('cancel'),
        handBack: (reason, graceMs) => void events.push(`hand back ${reason} ${graceMs}`),
        amounts: () => amounts,
        lose: () => {
          events.push('lose');
          resolve();
        },
      };
    },
  });
  let exit: Exit | null = null;
  void loop.run().then((value) => {
    exit = value;
  });
  return {
    clock,
    calls,
    runs,
    loop,
    exit: () => exit,
    times: (route: string) => calls.filter((call) => call.route === route).map(({ at }) => at),
  };
}

const usage = usageOf(0, { vcpu: 0, memoryGiB: 0 }, 1, { input: 0, output: 0, costUsd: 0 });

function task(id: string, fence = 1): ClaimedTask {
  return { id, fence, place: 'p', input: null, timeoutSeconds: 60, leaseSeconds: 60 };
}

describe('an idle loop', () => {
  test('claims every 30 s and leaves when it has idled long enough', async () => {
    const world = makeWorld({ idleTimeoutSeconds: 100 });
    await world.clock.advance(101_000);
    expect(world.times('claim')).toEqual([0, 30, 60, 90]);
    expect(world.times('save')).toEqual([100]);
    expect(world.times('stop')).toEqual([100]);
    expect(world.exit()).toEqual({ code: 0, why: 'idle' });
  });

  test('counts from the end of its last task', async () => {
    const tasks = [task('one')];
    const world = makeWorld({ idleTimeoutSeconds: 10, api: () => ({ tasks: tasks.splice(0) }) });
    await world.clock.advance(50_000);
    world.runs[0]?.end();
    await world.clock.advance(9_000);
    expect(world.exit()).toBeNull();
    await world.clock.advance(1_000);
    expect(world.times('stop')).toEqual([60]);
  });

  test('counts from the end of a lease that another took, and not from its start', async () => {
    let activeUntil: string | null = null;
    const world = makeWorld({ idleTimeoutSeconds: 100, api: () => ({ activeUntil }) });
    activeUntil = new Date(world.clock.now() + 200_000).toISOString();
    await world.clock.advance(299_000);
    expect(world.exit()).toBeNull();
    await world.clock.advance(1_000);
    expect(world.times('stop')).toEqual([300]);
  });

  test('that hears of a lease only when it wants to leave stays until its end', async () => {
    let activeUntil: string | null = null;
    const refusals = [true];
    const world = makeWorld({
      idleTimeoutSeconds: 20,
      api: (route) => (route === 'stop' ? { activeUntil, goOn: refusals.pop() ?? false } : {}),
    });
    activeUntil = new Date(world.clock.now() + 70_000).toISOString();
    await world.clock.advance(95_000);
    expect(world.times('stop')).toEqual([20, 90]);
  });

  test('whose clock is ahead of the API’s asks ten times a second at most for what is due by its own', async () => {
    let nextDueAt: string | null = null;
    let asked = 0;
    // A loop without a pause would never let the test go on.
    const world = makeWorld({ api: () => (++asked > 100 ? 'down' : { nextDueAt }) });
    // By the API's clock, it is not due for another two seconds.
    nextDueAt = new Date(world.clock.now() - 2000).toISOString();
    world.loop.ring();
    await world.clock.advance(1000);
    const claims = world.times('claim');
    expect(claims.length).toBeGreaterThan(5);
    expect(claims.length).toBeLessThan(15);
  });

  test('gives up with 1 when the API has been silent for 10 minutes', async () => {
    const world = makeWorld({ idleTimeoutSeconds: 3600, api: () => 'down' });
    await world.clock.advance(9 * 60_000);
    expect(world.exit()).toBeNull();
    await world.clock.advance(2 * 60_000);
    expect(world.exit()).toMatchObject({ code: 1 });
  });
});

describe('a busy loop', () => {
  test('never offers the same place twice', async () => {
    const tasks = [task('one'), task('two')];
    const world = makeWorld({ api: () => ({ tasks: tasks.splice(0) }) });
    await world.clock.advance(0);
    world.runs[0]?.end();
    world.runs[1]?.end();
    await world.clock.advance(0);
    const offers = world.calls.filter(({ route }) => route.endsWith('complete')).map(({ body }) => body.slots);
    expect(offers).toEqual([1, 1]);
  });

  test('keeps its tasks while the API is away', async () => {
    const tasks = [task('one')];
    let down = false;
    const world = makeWorld({ api: () => (down ? 'down' : { tasks: tasks.splice(0) }) });
    await world.clock.advance(0);
    down = true;
    await world.clock.advance(20 * 60_000);
    expect(world.exit()).toBeNull();
    expect(world.runs[0]?.events).toEqual([]);
  });

  test('lets go of a task that comes again with a new fence', async () => {
    const answers = [[task('one', 1)], [task('one', 2)], [task('one', 1)]];
    const world = makeWorld({ concurrency: 3, api: () => ({ tasks: answers.shift() ?? [] }) });
    await world.clock.advance(61_000);
    expect(world.runs.map(({ task, events }) => [task.fence, events])).toEqual([
      [1, ['lose']],
      [2, []],
    ]);
  });

  test('takes nothing more when its lifetime is over, and hands back what still runs after 10 minutes', async () => {
    const tasks = [task('one')];
    const world = makeWorld({ maxLifetimeSeconds: 100, api: () => ({ tasks: tasks.splice(0) }) });
    await world.clock.advance(699_000);
    expect(
      world.calls.filter(({ route, at }) => route === 'claim' && at > 100).every(({ body }) => body.slots === 0),
    ).toBe(true);
    expect(world.runs[0]?.events).toEqual([]);
    await world.clock.advance(1_000);
    expect(world.runs[0]?.events).toEqual(['hand back stopping 10000']);
  });
});

describe('a loop whose agent has a budget', () => {
  const budgetOf = (tokens: number) => ({ limits: { tokens: 1000 }, used: { tokens, costUsd: 0 } });

  test('hands everything back when all tasks together have used more than is left', async () => {
    const answers = [{ tasks: [task('one'), task('two')], budget: budgetOf(500) }];
    const world = makeWorld({ api: () => answers.shift() ?? { budget: budgetOf(500) } });
    await world.clock.advance(0);
    world.runs[0]?.use(300);
    world.runs[1]?.use(200);
    expect(world.runs.map(({ events }) => events)).toEqual([[], []]);
    world.runs[1]?.use(1);
    const handedBack = ['hand back its agent has used 1001 of 1000 tokens 10000'];
    expect(world.runs.map(({ events }) => events)).toEqual([handedBack, handedBack]);
  });

  test('takes work again when nothing runs: the API says whether it may', async () => {
    const tasks = [task('one')];
    const world = makeWorld({ api: () => ({ tasks: tasks.splice(0), budget: budgetOf(1005) }) });
    await world.clock.advance(0);
    world.runs[0]?.use(1);
    world.runs[0]?.end();
    await world.clock.advance(31_000);
    const offers = world.calls.filter(({ route }) => route !== 'save').map(({ route, body }) => [route, body.slots]);
    expect(offers).toEqual([
      ['claim', 2],
      ['tasks/one/complete', 0],
      ['claim', 2],
    ]);
  });

  test('does not count twice whose end is being reported', async () => {
    const answers = [{ tasks: [task('one'), task('two')], budget: budgetOf(0) }, { budget: budgetOf(600) }];
    const completing = Promise.withResolvers<void>();
    const world = makeWorld({
      api: () => answers.shift() ?? { budget: budgetOf(600) },
      hold: (route) => (route.endsWith('complete') ? completing.promise : undefined),
    });
    await world.clock.advance(0);
    world.runs[0]?.use(600);
    world.runs[0]?.end();
    await world.clock.advance(31_000);
    world.runs[1]?.use(1);
    expect(world.runs[1]?.events).toEqual([]);
    completing.resolve();
  });

  test('believes no answer that says less than one before it, unless the budget is gone', async () => {
    const answers = [{ tasks: [task('one')], budget: budgetOf(900) }, { budget: budgetOf(0) }, {}];
    const world = makeWorld({ api: () => answers.shift() ?? {} });
    await world.clock.advance(31_000);
    world.runs[0]?.use(101);
    expect(world.runs[0]?.events).toHaveLength(1);
    // With everything handed back it asks for orders only.
    await world.clock.advance(120_000);
    world.runs[0]?.use(5000);
    expect(world.runs[0]?.events).toHaveLength(1);
  });
});

test('a save that does not finish in the stop time is given up, and the goodbye says so', async () => {
  let given: AbortSignal | undefined;
  const world = makeWorld({
    save: (signal) => {
      given = signal;
      return new Promise(() => {});
    },
  });
  await world.clock.advance(1_000);
  world.loop.terminate();
  await world.clock.advance(94_000);
  expect([given?.aborted, world.exit()]).toEqual([false, null]);
  await world.clock.advance(7_000);
  expect(given?.aborted).toBe(true);
  expect(world.calls.at(-1)).toMatchObject({
    route: 'stop',
    body: { reason: 'signal', detail: 'The time to save was over.' },
  });
  expect(world.exit()).toMatchObject({ code: 0 });
});

test('the time to stop is split as designed, and scaled', () => {
  expect(splitStopBudget(120)).toEqual({ driversMs: 10_000, saveMs: 95_000, commitMs: 10_000 });
  expect(splitStopBudget(12)).toEqual({ driversMs: 1_000, saveMs: 9_500, commitMs: 1_000 });
});
