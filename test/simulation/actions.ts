import type { ApiClient } from './api-client.ts';
import { randomWork, type Work } from './programs.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** A task that was accepted: its api has seen its id. */
export interface AcceptedTask {
  id: string;
  agentId: string;
  work: Work;
}

/** One api with one agent at a time, and chance of its own. */
export interface Customer {
  number: number;
  api: ApiClient;
  random: Random;
  /** Undefined until its creation was answered, and after it was terminated. */
  agentId: string | undefined;
  tasks: AcceptedTask[];
}

export interface Scene {
  world: World;
  customers: Customer[];
  templates: string[];
  /** By their ids. */
  accepted: Map<string, AcceptedTask>;
  /** Agents that were created, also those that were terminated since. */
  agentIds: Set<string>;
  nextNumber(): number;
}

export interface Action {
  name: string;
  weight: number;
  run(scene: Scene, customer: Customer & { agentId: string }): Promise<unknown>;
}

const minute = 60;

function taskOptions(random: Random, nowMs: number): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  if (random.chance(0.1)) options.priority = random.int(1201) - 600;
  if (random.chance(0.08))
    options.notBefore = new Date(nowMs + Math.floor(random.exponential(5 * minute) * 1000)).toISOString();
  if (random.chance(0.08)) options.expiresInSeconds = 1 + Math.floor(random.exponential(5 * minute));
  if (random.chance(0.1)) options.timeoutSeconds = 5 + random.int(5 * minute);
  if (random.chance(0.1)) options.maxAttempts = 1 + random.int(5);
  if (random.chance(0.05)) options.onBusy = 'reject';
  if (random.chance(0.05)) options.metadata = { color: random.pick(['red', 'green']) };
  return options;
}

export async function submit(scene: Scene, { api, random, tasks, agentId }: Customer): Promise<void> {
  const work = randomWork(random, scene.nextNumber());
  const body = { input: work, ...taskOptions(random, scene.world.now()) };
  const key = `submit-${work.number}`;
  const ask = () => api.ask({ method: 'POST', path: `/v1/agents/${agentId}/tasks`, body, key });
  const answer = await ask();
  if (answer?.status !== 202) return;
  const task = { id: answer.body.id as string, agentId: agentId!, work };
  tasks.push(task);
  scene.accepted.set(task.id, task);
  if (!random.chance(0.05)) return;
  await scene.world.sleep(random.exponential(10 * minute) * 1000);
  const again = await ask();
  if (again?.status === 202 && again.body.id !== task.id)
    scene.world.fail(`An Idempotency-Key gave ${task.id}, and later ${again.body.id}.`, task.id);
}

export async function createAgent(scene: Scene, customer: Customer): Promise<void> {
  const { api, random } = customer;
  const body = {
    template: random.pick(scene.templates),
    start: random.chance(0.2),
    ...(random.chance(0.2) ? { overrides: { idleTimeoutSeconds: random.int(120) } } : {}),
  };
  const answer = await api.ask({ method: 'POST', path: '/v1/agents', body });
  if (answer?.status !== 201) return;
  customer.agentId = answer.body.id as string;
  scene.agentIds.add(customer.agentId);
}

/** A specification that is often a new version. */
export function templateOf(random: Random): Record<string, unknown> {
  return {
    driver: { type: 'command', command: ['true'] },
    idleTimeoutSeconds: random.pick([0, 5, 30, 60, 120]),
    concurrency: random.pick([1, 1, 1, 2, 5]),
    capacity: random.pick(['on-demand', 'on-demand', 'spot']),
    stopTimeoutSeconds: random.pick([2, 30, 120]),
    cancelGraceSeconds: random.pick([0, 10, 30]),
    task: {
      timeoutSeconds: random.pick([60, 120, 300]),
      heartbeatSeconds: random.pick([15, 30, 60]),
      retry: { initialSeconds: random.pick([1, 5]), nonRetryable: random.chance(0.3) ? ['exit_2'] : [] },
    },
    workspace: { keepGenerations: random.pick([1, 3]) },
    ...(random.chance(0.3) ? { warmPool: random.int(3) } : {}),
  };
}

export async function putTemplate(scene: Scene, api: ApiClient, random: Random, name: string): Promise<void> {
  await api.ask({ method: 'PUT', path: `/v1/templates/${name}`, body: templateOf(random) });
  if (!scene.templates.includes(name)) scene.templates.push(name);
}

const post = (customer: Customer, verb: string, body?: unknown) =>
  customer.api.ask({ method: 'POST', path: `/v1/agents/${customer.agentId}/${verb}`, ...(body ? { body } : {}) });

const someTask = (customer: Customer) => customer.random.pick(customer.tasks.slice(-8)).id;

/** What must be refused, whatever the state: each with the status that it gets. */
const badRequests: readonly [number, string, string, unknown][] = [
  [422, 'POST', '/v1/agents', { template: 5 }],
  [422, 'POST', '/v1/agents', { template: 'main', colour: 'red' }],
  [404, 'GET', '/v1/agents/agt_01HX0000000000000000000000', undefined],
  [404, 'GET', '/v1/tasks/nonsense', undefined],
  [422, 'GET', '/v1/tasks?limit=1000', undefined],
  [422, 'PUT', '/v1/templates/bad', { driver: { type: 'command', command: [] } }],
  [400, 'POST', '/v1/agents', '{"template":'],
];

/** What customers do. A new verb of the API is one more entry. */
export const actions: readonly Action[] = [
  { name: 'submit', weight: 40, run: submit },
  {
    name: 'burst',
    weight: 4,
    run: (scene, customer) =>
      Promise.all(Array.from({ length: 2 + customer.random.int(9) }, () => submit(scene, customer))),
  },
  {
    name: 'cancel',
    weight: 8,
    run: async (_, customer) =>
      customer.tasks.length > 0 && customer.api.ask({ method: 'POST', path: `/v1/tasks/${someTask(customer)}/cancel` }),
  },
  {
    name: 'retry',
    weight: 4,
    run: async (scene, customer) => {
      if (customer.tasks.length === 0) return;
      const old = scene.accepted.get(someTask(customer))!;
      const answer = await customer.api.ask({ method: 'POST', path: `/v1/tasks/${old.id}/retry` });
      if (answer?.status !== 202) return;
      const task = { id: answer.body.id as string, agentId: old.agentId, work: old.work };
      customer.tasks.push(task);
      scene.accepted.set(task.id, task);
    },
  },
  {
    name: 'pause',
    weight: 6,
    run: (_, customer) =>
      post(customer, 'pause', { force: customer.random.chance(0.5), hold: customer.random.chance(0.3) }),
  },
  { name: 'resume', weight: 6, run: (_, customer) => post(customer, 'resume') },
  { name: 'recover', weight: 3, run: (_, customer) => post(customer, 'recover') },
  {
    name: 'activity',
    weight: 3,
    run: (_, customer) => post(customer, 'activity', { seconds: 1 + customer.random.int(600) }),
  },
  {
    name: 'patch',
    weight: 3,
    run: (_, customer) =>
      customer.api.ask({
        method: 'PATCH',
        path: `/v1/agents/${customer.agentId}`,
        body: customer.random.chance(0.5)
          ? { name: `name ${customer.random.int(100)}`, labels: { team: customer.random.pick(['a', 'b']) } }
          : { overrides: { idleTimeoutSeconds: customer.random.int(200) } },
      }),
  },
  { name: 'archive', weight: 2, run: (_, customer) => post(customer, 'archive') },
  { name: 'restore', weight: 4, run: (_, customer) => post(customer, 'restore') },
  {
    name: 'rollback',
    weight: 2,
    run: (_, customer) => post(customer, 'rollback', { generation: 1 + customer.random.int(4) }),
  },
  {
    name: 'fork',
    weight: 1,
    run: async (scene, customer) => {
      const answer = await post(customer, 'fork', {});
      if (answer?.status !== 201) return;
      const { id } = answer.body;
      scene.agentIds.add(id);
      // Half of the forks take the place of what they were made from.
      if (customer.random.chance(0.5)) customer.agentId = id;
    },
  },
  {
    name: 'terminate',
    weight: 1,
    run: async (scene, customer) => {
      const path = `/v1/agents/${customer.agentId}`;
      const answer = await customer.api.ask({ method: 'DELETE', path });
      if (answer?.status !== 202) return;
      customer.tasks = [];
      await createAgent(scene, customer);
    },
  },
  {
    name: 'template',
    weight: 1,
    run: async (scene, { api, random }) => putTemplate(scene, api, random, random.pick(scene.templates)),
  },
  {
    name: 'delete-template',
    weight: 1,
    run: async ({ templates }, { api, random }) =>
      api.ask({ method: 'DELETE', path: `/v1/templates/${random.pick(templates)}-unused` }),
  },
  {
    name: 'read',
    weight: 8,
    run: async (_, customer) => {
      const { agentId, random, tasks } = customer;
      const task = tasks.length ? someTask(customer) : undefined;
      const paths = [
        `/v1/agents/${agentId}`,
        `/v1/agents/${agentId}/tasks?limit=5`,
        `/v1/agents/${agentId}/logs?limit=10`,
        `/v1/agents/${agentId}/generations`,
        `/v1/events?agentId=${agentId}&limit=20`,
        '/v1/agents?status=running',
        '/v1/tasks?status=queued',
        '/v1/events?limit=20',
        ...(task ? [`/v1/tasks/${task}`, `/v1/tasks/${task}?waitSeconds=${random.int(25)}`] : []),
      ];
      await customer.api.get(random.pick(paths));
    },
  },
  {
    name: 'bad-input',
    weight: 2,
    run: async ({ world }, { api, random }) => {
      const [status, method, path, body] = random.pick(badRequests);
      const answer = await api.ask({ method, path, ...(body === undefined ? {} : { body }) });
      if (answer && answer.status !== status)
        world.fail(`${method} ${path} was answered with ${answer.status} instead of ${status}.`);
    },
  },
];
