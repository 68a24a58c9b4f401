import type { Action, Customer, Owner, Scene } from './action.ts';

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

const post = (customer: Owner, verb: string, body?: unknown) =>
  customer.api.ask({ method: 'POST', path: `/v1/agents/${customer.agentId}/${verb}`, ...(body ? { body } : {}) });

const patch = ({ api, random, agentId }: Owner) =>
  api.ask({
    method: 'PATCH',
    path: `/v1/agents/${agentId}`,
    body: random.pick([
      () => ({ name: `name ${random.int(100)}`, labels: { team: random.pick(['a', 'b']) } }),
      () => ({ overrides: { idleTimeoutSeconds: random.int(200) } }),
      () => ({ overrides: { budget: { tokens: 500 + random.int(5000) } } }),
    ])(),
  });

async function fork(scene: Scene, customer: Owner): Promise<void> {
  const answer = await post(customer, 'fork', {});
  if (answer?.status !== 201) return;
  const { id } = answer.body;
  scene.agentIds.add(id);
  // Half of the forks take the place of what they were made from.
  if (customer.random.chance(0.5)) customer.agentId = id;
}

async function terminate(scene: Scene, customer: Owner): Promise<void> {
  const answer = await customer.api.ask({ method: 'DELETE', path: `/v1/agents/${customer.agentId}` });
  if (answer?.status !== 202) return;
  customer.tasks = [];
  await createAgent(scene, customer);
}

export const agentActions: readonly Action[] = [
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
  { name: 'patch', weight: 3, run: (_, customer) => patch(customer) },
  { name: 'archive', weight: 2, run: (_, customer) => post(customer, 'archive') },
  { name: 'restore', weight: 4, run: (_, customer) => post(customer, 'restore') },
  {
    name: 'rollback',
    weight: 2,
    run: (_, customer) => post(customer, 'rollback', { generation: 1 + customer.random.int(4) }),
  },
  { name: 'fork', weight: 1, run: fork },
  { name: 'terminate', weight: 1, run: terminate },
];
