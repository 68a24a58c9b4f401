import { repeatableWork, type Work } from '../programs.ts';
import type { Random } from '../random.ts';
import type { Action, Owner, Scene } from './action.ts';

type Step = Record<string, unknown> & { id: string };

const flows = ['flow-0', 'flow-1', 'flow-2'];
const mostSteps = 5;

/** What one step does: a task of the agent or of a fresh one, a sub-run, an approval, or a wait for a signal. */
function kind(scene: Scene, { random, agentId }: Owner, below: readonly string[]): Record<string, unknown> {
  const timeoutSeconds = random.chance(0.8) ? { timeoutSeconds: 5 + random.int(300) } : {};
  const roll = random.next();
  if (roll < 0.1)
    return {
      approval: {
        prompt: random.chance(0.5) ? 'Shall it go on?' : '{% "Shall " & $run.id & " go on?" %}',
        ...timeoutSeconds,
        onTimeout: random.pick(['reject', 'approve', 'fail']),
      },
    };
  if (roll < 0.2)
    return { waitFor: 'go', ...timeoutSeconds, ...(random.chance(0.5) ? { default: { number: 0 } } : {}) };
  if (roll < 0.3 && below.length > 0) return { workflow: random.pick(below), ...timeoutSeconds };
  const work = (): Work => repeatableWork(random, scene.nextNumber());
  const who = random.chance(0.25) ? { template: random.pick(scene.templates) } : { agent: agentId };
  const options = {
    ...who,
    output: { type: 'json' },
    ...(random.chance(0.2) ? { maxAttempts: 1 + random.int(3) } : {}),
    ...(random.chance(0.2) ? timeoutSeconds : {}),
  };
  if (random.chance(0.25))
    return {
      ...options,
      forEach: Array.from({ length: random.int(7) }, work),
      maxConcurrency: 1 + random.int(4),
    };
  return { ...options, input: work() };
}

function definition(scene: Scene, customer: Owner, below: readonly string[]): Record<string, unknown> {
  const { random } = customer;
  const steps: Step[] = [];
  for (let i = 0, count = 1 + random.int(mostSteps); i < count; i++) {
    const needs = steps.map(({ id }) => id).filter(() => random.chance(0.4));
    steps.push({
      id: `step${i}`,
      ...(needs.length ? { needs } : {}),
      ...(random.chance(0.15) ? { when: random.pick(['{% $run.input.at != null %}', '{% true %}']) } : {}),
      ...(random.chance(0.3) ? { onFailure: random.pick(['fail', 'continue']) } : {}),
      ...kind(scene, customer, below),
    });
  }
  return {
    steps,
    onFailure: random.pick(['fail', 'continue']),
    ...(random.chance(0.15) ? { timeoutSeconds: 30 + random.int(600) } : {}),
    ...(random.chance(0.2) ? { output: { first: '{% $steps.step0.output %}' } } : {}),
  };
}

async function putWorkflow(scene: Scene, customer: Owner): Promise<void> {
  const number = customer.random.int(flows.length);
  const name = flows[number]!;
  const body = definition(scene, customer, flows.slice(0, number));
  const answer = await customer.api.ask({ method: 'PUT', path: `/v1/workflows/${name}`, body });
  if (answer && answer.status < 300 && !scene.workflows.includes(name)) scene.workflows.push(name);
}

async function startRun(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, runs } = customer;
  if (scene.workflows.length === 0) return putWorkflow(scene, customer);
  const key = `run-${scene.nextNumber()}`;
  const path = `/v1/workflows/${random.pick(scene.workflows)}/runs`;
  const body = random.chance(0.5) ? { input: { at: 'noon' } } : {};
  const ask = () => api.ask({ method: 'POST', path, body, key });
  const answer = await ask();
  if (answer?.status !== 202) return;
  const id = answer.body.id as string;
  runs.push(id);
  const again = random.chance(0.1) ? await ask() : undefined;
  if (again?.status === 202 && again.body.id !== id)
    scene.world.fail(`An Idempotency-Key gave ${id}, and later ${again.body.id}.`, id);
}

/** A request about one of the customer's runs; before there is one, it is started. */
function about(name: string, weight: number, ask: (random: Random, id: string) => [string, unknown]): Action {
  return {
    name,
    weight,
    run: async (scene, customer) => {
      const { api, random, runs } = customer;
      if (runs.length === 0) return startRun(scene, customer);
      const id = random.pick(runs.slice(-4));
      const [verb, body] = ask(random, id);
      const answer = await api.ask({ method: 'POST', path: `/v1/runs/${id}/${verb}`, body });
      if (verb === 'rerun' && answer?.status === 202) runs.push(answer.body.id);
      return answer;
    },
  };
}

const someStep = (random: Random) => `step${random.int(mostSteps)}`;

/** Says something to a step that waits, if one does: a person looks first. */
async function answerStep(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, runs } = customer;
  if (runs.length === 0) return startRun(scene, customer);
  const id = random.pick(runs.slice(-4));
  const run = await api.get(`/v1/runs/${id}`);
  const steps: [string, { status: string; prompt: string | null }][] = Object.entries(run?.body?.steps ?? {});
  const waiting = steps.find(([, { status }]) => status === 'waiting');
  const step = waiting?.[0] ?? someStep(random);
  const isApproval = waiting ? waiting[1].prompt !== null : random.chance(0.5);
  const verb = isApproval ? random.pick(['approve', 'reject']) : 'signal';
  const body = verb === 'signal' ? { name: 'go', body: { number: 1 } } : { comment: 'seen' };
  await api.ask({ method: 'POST', path: `/v1/runs/${id}/steps/${step}/${verb}`, body });
}

export const workflowActions: readonly Action[] = [
  { name: 'workflow', weight: 3, run: putWorkflow },
  { name: 'run', weight: 5, run: startRun },
  { name: 'answer', weight: 3, run: answerStep },
  about('cancel-run', 1, () => ['cancel', undefined]),
  about('rerun', 1, (random) => ['rerun', random.chance(0.5) ? { fromStep: someStep(random) } : {}]),
  {
    name: 'delete-workflow',
    weight: 0.3,
    run: (_, { api, random }) => api.ask({ method: 'DELETE', path: `/v1/workflows/${random.pick(flows)}` }),
  },
];
