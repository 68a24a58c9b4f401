import { type Action, actions, type Customer, createAgent, putTemplate, type Scene } from './actions.ts';
import { ApiClient } from './api-client.ts';
import { Checker } from './checker.ts';
import { checkEvents, untold } from './event-check.ts';
import { installFaults } from './faults.ts';
import { Ledger } from './ledger.ts';
import type { Plan } from './plan.ts';
import { perform } from './programs.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

export interface Outcome {
  plan: Plan;
  /** The same for the same plan, bit for bit. */
  digest: string;
  tasks: number;
  writes: number;
  violation?: { message: string; ids: readonly string[]; trace: string[] } | undefined;
}

const hourMs = 3_600_000;
const minuteMs = 60_000;
/** When nothing goes wrong any more, everything is final within this time: the longest wait is for a long program. */
const settleBoundMs = 4 * hourMs;

/** Runs a plan to its end, or to the first invariant that is broken. */
export async function simulate(plan: Plan, assembly: string): Promise<Outcome> {
  const world = await World.start(plan, assembly, true);
  const ledger = new Ledger(world);
  const scene = sceneOf(world);
  const checker = new Checker(world, ledger, scene);
  world.stack.fleet.forgetsDead = true;
  world.stack.fleet.program = (task, shim) => perform(world, task, shim);
  world.stack.fleet.onWork = (shim, task, what) => {
    const code = shim.runtimeId;
    world.tell(`${code} ${what === 'begins' ? 'runs' : 'is done with'} ${task.id} fence ${task.fence}`);
    if (what === 'begins') checkAlone(world, task.id);
  };
  world.stack.fleet.onError = (shim, error) => {
    world.tell(`${shim.runtimeId} breaks down: ${error instanceof Error ? error.message : error}`);
    if (world.plan.faults.length === 0) world.fail(`${shim.runtimeId} broke down although nothing went wrong.`);
    shim.die(1);
  };
  const outcome = (): Outcome => {
    const { trace, violation } = world;
    const told = violation && {
      message: trace.readable(violation.message),
      ids: violation.ids,
      trace: trace.lines(violation.ids),
    };
    return { plan, digest: trace.digest(), tasks: scene.accepted.size, writes: ledger.writes, violation: told };
  };
  try {
    await act(world, scene, checker);
    await settle(world, scene, checker);
    await check(world, ledger, checker);
    await removeAll(world, scene, checker);
    return outcome();
  } catch (error) {
    if (!(error instanceof Violation))
      world.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return outcome();
  } finally {
    await world.close();
  }
}

function sceneOf(world: World): Scene {
  let numbers = 0;
  return {
    world,
    customers: Array.from({ length: world.plan.agents }, (_, number) => {
      const random = world.random.fork(`customer ${number}`);
      return { number, random, api: new ApiClient(world, random.fork('api')), agentId: undefined, tasks: [] };
    }),
    templates: [],
    accepted: new Map(),
    agentIds: new Set(),
    nextNumber: () => ++numbers,
  };
}

/** Invariant 2: whatever anybody believes, no two containers run the same task at the same time. */
function checkAlone(world: World, taskId: string): void {
  const runners = world.stack.fleet.living.filter((shim) => shim.running.has(taskId));
  if (runners.length > 1)
    world.fail(`${runners.map((shim) => shim.runtimeId).join(' and ')} run ${taskId} at the same time.`, taskId);
}

/** Customers use the API as they like, while whatever the plan says goes wrong. */
async function act(world: World, scene: Scene, checker: Checker): Promise<void> {
  const { plan } = world;
  const setUp = new ApiClient(world, world.random.fork('set up'));
  const random = world.random.fork('templates');
  world.background(async () => {
    for (const name of ['main', 'other']) await putTemplate(scene, setUp, random, name);
    await Promise.all(scene.customers.map((customer) => createAgent(scene, customer)));
  });
  await world.runUntil(world.now() + minuteMs);
  const untilMs = world.now() + plan.hours * hourMs;
  for (const customer of scene.customers)
    if (!plan.without?.includes(customer.number)) visit(world, scene, customer, untilMs);
  installFaults(world);
  world.calm = false;
  for (let nextMs = world.now() + minuteMs; nextMs <= untilMs; nextMs += minuteMs) {
    await world.runUntil(nextMs);
    checker.look();
  }
}

/** What one customer does next, and so on. Nobody waits for an answer before the next thing is due. */
function visit(world: World, scene: Scene, customer: Customer, untilMs: number): void {
  const chosen = actions.filter(({ name }) => world.plan.actions?.includes(name) ?? true);
  const next = () => {
    const atMs = world.now() + Math.ceil(customer.random.exponential(world.plan.everySeconds) * 1000);
    if (atMs >= untilMs) return;
    world.clock.at(atMs, () => {
      const action: Action = customer.random.weighted(chosen, ({ weight }) => weight);
      world.background(async () => {
        if (customer.agentId === undefined) await createAgent(scene, customer);
        else await action.run(scene, customer as Customer & { agentId: string });
      });
      next();
    });
  };
  next();
}

/** Nothing goes wrong any more: everything accepted ends, or has a reason; holds and errors are ended then. */
async function settle(world: World, scene: Scene, checker: Checker): Promise<void> {
  world.tell('from now on nothing goes wrong');
  world.calm = true;
  await untilNone(world, 'unfinished tasks', async () => checker.unfinished());
  const { api } = scene.customers[0]!;
  const tell = (agentId: string, verb: string) => api.ask({ method: 'POST', path: `/v1/agents/${agentId}/${verb}` });
  for (const agentId of scene.agentIds)
    world.background(async () => {
      for (const verb of ['restore', 'recover', 'resume']) await tell(agentId, verb);
    });
  // Without warm pools nothing runs that has nothing to do.
  const body = { driver: { type: 'command', command: ['true'] } };
  for (const name of scene.templates)
    world.background(async () => void (await api.ask({ method: 'PUT', path: `/v1/templates/${name}`, body })));
  await world.runUntil(world.now() + minuteMs);
  await untilNone(world, 'unfinished tasks', async () => checker.unfinished());
  await untilNone(world, 'runtimes', () => checker.leftovers());
}

async function check(world: World, ledger: Ledger, checker: Checker): Promise<void> {
  checker.look();
  checker.checkTasks();
  await untilNone(world, 'events that are not in the log', () => untold(world, ledger));
  await checkEvents(world, ledger);
  if (world.violation) throw world.violation;
}

/** Terminated agents leave nothing but their history. */
async function removeAll(world: World, scene: Scene, checker: Checker): Promise<void> {
  const { api } = scene.customers[0]!;
  for (const agentId of scene.agentIds)
    world.background(async () => void (await api.ask({ method: 'DELETE', path: `/v1/agents/${agentId}` })));
  await world.runUntil(world.now() + 10 * minuteMs);
  await untilNone(world, 'leftovers', () => checker.leftovers());
  await untilNone(world, 'files', () => checker.files());
  checker.look();
  if (world.violation) throw world.violation;
}

async function untilNone(world: World, what: string, find: () => Promise<string[]>): Promise<void> {
  const untilMs = world.now() + settleBoundMs;
  for (;;) {
    const found = await find();
    if (found.length === 0) return;
    if (world.now() >= untilMs) {
      const ids = found.flatMap((text) => text.match(/(agt|tsk|rt)_[0-9A-Z]{26}/g) ?? []);
      world.fail(
        `After ${settleBoundMs / hourMs} hours in which nothing went wrong there are ${what}: ${found.slice(0, 5).join('; ')}.`,
        ...ids.slice(0, 5),
      );
      throw world.violation;
    }
    await world.runUntil(world.now() + minuteMs);
  }
}
