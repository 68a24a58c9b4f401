import { randomWork } from '../programs.ts';
import type { Random } from '../random.ts';
import { put } from '../web.ts';
import type { AcceptedTask, Action, Customer, Owner, Scene } from './action.ts';

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
  if (random.chance(0.1)) options.budget = { tokens: 1 + random.int(600) };
  if (random.chance(0.05)) options.budget = { costUsd: 0.00001 * (1 + random.int(100)) };
  if (random.chance(0.05)) options.metadata = { color: random.pick(['red', 'green']) };
  return options;
}

function accept(scene: Scene, customer: Customer, task: AcceptedTask): void {
  customer.tasks.push(task);
  scene.accepted.set(task.id, task);
}

async function submit(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, agentId } = customer;
  const work = randomWork(random, scene.nextNumber());
  if (random.chance(0.08)) work.tells = { to: random.pick([...scene.agentIds]), number: scene.nextNumber() };
  const body = { input: work, ...taskOptions(random, scene.world.now()) };
  const key = `submit-${work.number}`;
  const ask = () => api.ask({ method: 'POST', path: `/v1/agents/${agentId}/tasks`, body, key });
  const answer = await ask();
  if (answer?.status !== 202) return;
  const task = { id: answer.body.id as string, agentId, work };
  accept(scene, customer, task);
  if (!random.chance(0.05)) return;
  await scene.world.sleep(random.exponential(10 * minute) * 1000);
  const again = await ask();
  if (again?.status === 202 && again.body.id !== task.id)
    scene.world.fail(`An Idempotency-Key gave ${task.id}, and later ${again.body.id}.`, task.id);
}

/** A task whose input was uploaded before; now and then it was not, or is not what was announced. */
async function upload(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, agentId } = customer;
  const work = randomWork(random, scene.nextNumber());
  const bytes = Buffer.from(JSON.stringify(work));
  const body = { sizeBytes: bytes.length, contentType: 'application/json' };
  const upload = await api.ask({ method: 'POST', path: '/v1/uploads', body });
  if (upload?.status !== 201) return;
  const { ref, url, headers } = upload.body;
  if (random.chance(0.9)) await put(scene.world, url, bytes, headers);
  const input = { $ref: ref };
  const answer = await api.ask({ method: 'POST', path: `/v1/agents/${agentId}/tasks`, body: { input } });
  if (answer?.status === 202) accept(scene, customer, { id: answer.body.id, agentId, work });
}

/** A message, which is taken like a task; now and then one that wakes nobody. */
async function send(scene: Scene, customer: Owner): Promise<void> {
  const { api, random, agentId } = customer;
  const work = randomWork(random, scene.nextNumber());
  const body = { body: work, ...(random.chance(0.3) && { topic: 'news' }), ...(random.chance(0.3) && { wake: false }) };
  const key = `send-${work.number}`;
  const answer = await api.ask({ method: 'POST', path: `/v1/agents/${agentId}/messages`, body, key });
  if (answer?.status === 202) accept(scene, customer, { id: answer.body.taskId, agentId, work });
}

async function retry(scene: Scene, customer: Owner): Promise<void> {
  if (customer.tasks.length === 0) return;
  const old = scene.accepted.get(someTask(customer))!;
  const answer = await customer.api.ask({ method: 'POST', path: `/v1/tasks/${old.id}/retry` });
  if (answer?.status === 202) accept(scene, customer, { ...old, id: answer.body.id });
}

async function cancel(_: Scene, customer: Owner): Promise<void> {
  if (customer.tasks.length === 0) return;
  const body = customer.random.chance(0.2) ? { force: true } : {};
  await customer.api.ask({ method: 'POST', path: `/v1/tasks/${someTask(customer)}/cancel`, body });
}

export const someTask = ({ random, tasks }: Customer) => random.pick(tasks.slice(-8)).id;

export const taskActions: readonly Action[] = [
  { name: 'submit', weight: 36, run: submit },
  {
    name: 'burst',
    weight: 4,
    run: (scene, customer) =>
      Promise.all(Array.from({ length: 2 + customer.random.int(9) }, () => submit(scene, customer))),
  },
  { name: 'upload', weight: 2, run: upload },
  { name: 'send', weight: 6, run: send },
  { name: 'cancel', weight: 8, run: cancel },
  { name: 'retry', weight: 4, run: retry },
];
