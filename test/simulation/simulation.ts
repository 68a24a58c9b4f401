import type { Action, Customer, Owner, Scene } from './actions/action.ts';
import { createAgent } from './actions/agents.ts';
import { putTemplate } from './actions/templates.ts';
import { actions } from './actions.ts';
import { ApiClient } from './api-client.ts';
import { Checker } from './checker.ts';
import { installFaults } from './faults.ts';
import { Ledger } from './ledger.ts';
import type { Plan } from './plan.ts';
import { perform } from './programs.ts';
import { sabotage } from './sabotage.ts';
import { Settlement } from './settlement.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

export interface Outcome {
  plan: Plan;
  /** The same for the same plan, bit for bit. */
  digest: string;
  tasks: number;
  writes: number;
  /** Routes that were asked, as `METHOD /path/{parameter}`. */
  routes: string[];
  violation?: { message: string; ids: readonly string[]; trace: string[] } | undefined;
}

const minuteMs = 60_000;

/** Runs a plan to its end, or to the first invariant that is broken. */
export async function simulate(plan: Plan, assembly: string): Promise<Outcome> {
  const world = await World.start(plan, assembly, true);
  const ledger = new Ledger(world);
  const scene = sceneOf(world);
  const checker = new Checker(world, ledger, scene);
  direct(world, ledger, scene);
  sabotage(world);
  try {
    await act(world, scene, checker);
    await new Settlement(world, ledger, scene, checker).run();
  } catch (error) {
    if (!(error instanceof Violation))
      world.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await world.close();
  }
  const { trace, violation } = world;
  const told = violation && {
    message: trace.readable(violation.message),
    ids: violation.ids,
    trace: trace.lines(violation.ids),
  };
  const routes = [...world.routes].sort();
  return { plan, digest: trace.digest(), tasks: ledger.records.size, writes: ledger.writes, routes, violation: told };
}

/** Tells the containers what their programs do, and listens to what they really run. */
function direct(world: World, ledger: Ledger, { accepted }: Scene): void {
  const { fleet } = world.stack;
  fleet.forgetsDead = true;
  fleet.program = (task, shim) =>
    perform(world, task, shim, {
      onSent: (id, agentId, work) => void accepted.set(id, { id, agentId, work }),
      onSpent: (id, tokens) => ledger.budgets.tell(id, tokens),
    });
  fleet.onWork = (shim, task, what) => {
    const code = shim.runtimeId;
    world.tell(`${code} ${what === 'begins' ? 'runs' : 'is done with'} ${task.id} fence ${task.fence}`);
    if (what === 'begins') checkAlone(world, task.id);
  };
  fleet.onError = (shim, error) => {
    world.tell(`${shim.runtimeId} breaks down: ${error instanceof Error ? error.message : error}`);
    if (world.plan.faults.length === 0) world.fail(`${shim.runtimeId} broke down although nothing went wrong.`);
    shim.die(1);
  };
}

function sceneOf(world: World): Scene {
  let numbers = 0;
  return {
    world,
    customers: Array.from({ length: world.plan.agents }, (_, number) => {
      const random = world.random.fork(`customer ${number}`);
      const api = new ApiClient(world, random.fork('api'));
      return { number, random, api, agentId: undefined, tasks: [], schedules: [], runs: [] };
    }),
    templates: [],
    workflows: [],
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
  const untilMs = world.now() + plan.hours * 60 * minuteMs;
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
        else await action.run(scene, customer as Owner);
      });
      next();
    });
  };
  next();
}
