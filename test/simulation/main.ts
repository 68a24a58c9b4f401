/**
 * `npm run simulate`: fleets that live through hours in seconds, by seeds. The functions and the SDK are the real ones,
 * the AWS is embedded, the shims are simulated, and whatever can go wrong does. `--help` tells the options.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { contracts } from '../../lib/http/routes/index.ts';
import { repository } from '../../local/start/repository.ts';
import { synthesize } from '../../local/start/synth.ts';
import { runBig } from './big/command.ts';
import { type BigPlan, fullPlan } from './big/plan.ts';
import { Crew } from './crew.ts';
import { faultNames } from './faults.ts';
import { commandOf, defaultPlan, type Plan } from './plan.ts';
import { sabotageNames } from './sabotage.ts';
import { shrink } from './shrink.ts';
import type { Outcome } from './simulation.ts';

const traceLines = 150;

const help = `npm run simulate -- [options]

  --seed <n>       the first seed (${defaultPlan.seed})
  --seeds <n>      how many seeds in a row (1)
  --agents <n>     agents of the fleet (${defaultPlan.agents})
  --hours <n>      hours in which customers use the API and things go wrong (${defaultPlan.hours})
  --every <s>      seconds between two actions of one customer, on average (${defaultPlan.everySeconds})
  --faults <list>  all, none, or some of: ${faultNames.join(', ')} (all)
  --actions <list> only these actions of customers
  --without <list> numbers of customers that do nothing
  --threads <n>    how many simulations run at once (one a core)
  --shrink <n>     runs that may be spent on finding a smaller plan that fails alike (40)
  --routes         fail if there is a route of the API that no simulation has asked
  --sabotage <name> what the product gets wrong, to see whether that is found: ${sabotageNames.join(', ')}
  --big            a fleet of any size lives through a day under AWS's rates, and what its tasks took is compared with
                   a small one: ${fullPlan.agents} agents and ${fullPlan.tasks} tasks in ${fullPlan.hours} hours, or what --agents, --tasks and --hours say
  --tasks <n>      tasks of a big fleet, so many for each agent
  --report <file>  a document whose tables a big fleet's run writes
  --trace          print all that happened before a violation, not the last ${traceLines} lines alone
  --verbose        print a line for every seed
`;

function options() {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  return parseArgs({
    options: {
      seed: { ...text, default: String(defaultPlan.seed) },
      seeds: { ...text, default: '1' },
      agents: text,
      tasks: text,
      hours: text,
      report: text,
      big: flag,
      every: { ...text, default: String(defaultPlan.everySeconds) },
      faults: { ...text, default: 'all' },
      actions: text,
      without: text,
      threads: { ...text, default: String(availableParallelism()) },
      shrink: { ...text, default: '40' },
      sabotage: text,
      routes: flag,
      trace: flag,
      verbose: flag,
      help: flag,
    },
  }).values;
}

function number(name: string, given: string, min: number): number {
  const value = Number(given);
  if (given.trim() !== '' && Number.isFinite(value) && value >= min) return value;
  throw new Error(`Received --${name} ${given}; a number of at least ${min} is allowed.`);
}

function list(given: string): string[] {
  return given.split(',').filter(Boolean);
}

function faultsOf(given: string): string[] {
  if (given === 'all') return [...faultNames];
  if (given === 'none') return [];
  const names = list(given);
  const unknown = names.find((name) => !(faultNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new Error(`Received the fault ${unknown}; all, none, or some of ${faultNames.join(', ')} are allowed.`);
  return names;
}

function* plansOf(given: ReturnType<typeof options>): Generator<Plan> {
  const seed = number('seed', given.seed, 0);
  const count = number('seeds', given.seeds, 1);
  for (let i = 0; i < count; i++)
    yield {
      seed: seed + i,
      agents: given.agents === undefined ? defaultPlan.agents : number('agents', given.agents, 1),
      hours: given.hours === undefined ? defaultPlan.hours : number('hours', given.hours, 0),
      faults: faultsOf(given.faults),
      everySeconds: number('every', given.every, 1),
      ...(given.actions === undefined ? {} : { actions: list(given.actions) }),
      ...(given.sabotage === undefined ? {} : { sabotage: given.sabotage }),
      ...(given.without === undefined ? {} : { without: list(given.without).map(Number) }),
    };
}

function bigPlanOf(given: ReturnType<typeof options>): BigPlan {
  const agents = given.agents === undefined ? fullPlan.agents : number('agents', given.agents, 1);
  const tasksEach = fullPlan.tasks / fullPlan.agents;
  const tasks = given.tasks === undefined ? agents * tasksEach : number('tasks', given.tasks, agents);
  if (tasks % agents !== 0)
    throw new Error(`Received --tasks ${tasks} for ${agents} agents; as many for each of them are allowed.`);
  const hours = given.hours === undefined ? fullPlan.hours : number('hours', given.hours, 1);
  return { seed: number('seed', given.seed, 0), agents, tasks, hours };
}

function report({ plan, violation, digest }: Outcome, shownLines: number): void {
  console.log(`\nSeed ${plan.seed} broke an invariant (${digest}).`);
  const trace = violation!.trace;
  if (trace.length > shownLines) console.log(`… ${trace.length - shownLines} lines before`);
  console.log(trace.slice(-shownLines).join('\n'));
  console.log(`\n${violation!.message}\n\n  ${commandOf(plan)}\n`);
}

async function main(): Promise<number> {
  const given = options();
  if (given.help) {
    console.log(help);
    return 0;
  }
  const plans = [...plansOf(given)];
  const bigPlan = given.big ? bigPlanOf(given) : undefined;
  const startMs = performance.now();
  const { folder } = await synthesize(repository);
  if (bigPlan)
    return (await runBig({ plan: bigPlan, assembly: folder, root: repository, report: given.report })) ? 0 : 1;
  const crew = new Crew(folder);
  const failed: Outcome[] = [];
  let tasks = 0;
  let runs = 0;
  const unasked = new Set(contracts.map(({ method, path }) => `${method} ${path}`));
  const onOutcome = (outcome: Outcome) => {
    runs += 1;
    tasks += outcome.tasks;
    for (const route of outcome.routes) unasked.delete(route);
    if (outcome.violation) failed.push(outcome);
    if (given.verbose || plans.length === 1)
      console.log(
        `seed ${outcome.plan.seed}: ${outcome.tasks} tasks, ${outcome.writes} writes, trace ${outcome.digest}`,
      );
  };
  await crew.runAll(plans, number('threads', given.threads, 1), onOutcome, () => failed.length >= 3);
  const shownLines = given.trace ? Number.POSITIVE_INFINITY : traceLines;
  for (const outcome of failed) {
    console.log(`Seed ${outcome.plan.seed} broke an invariant: ${commandOf(outcome.plan)}`);
    report(await shrink(outcome, (plan) => crew.run(plan), number('shrink', given.shrink, 0)), shownLines);
  }
  await crew.close();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${runs} simulations with ${tasks} tasks in ${seconds} s: ${failed.length} broke an invariant.`);
  const isIncomplete = given.routes && unasked.size > 0;
  if (isIncomplete) console.log(`No simulation has asked ${[...unasked].join(', ')}.`);
  return failed.length > 0 || isIncomplete ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
