import type { Action, Owner, Scene } from './action.ts';
import { someTask } from './tasks.ts';

/** Every GET of the API that makes sense for a customer now. */
function paths({ templates, workflows }: Scene, customer: Owner): string[] {
  const { agentId, random, tasks, schedules, runs } = customer;
  const agent = `/v1/agents/${agentId}`;
  const found = [
    agent,
    `${agent}/tasks?limit=5`,
    `${agent}/messages?limit=5`,
    `${agent}/logs?limit=10`,
    `${agent}/generations`,
    `${agent}/generations/1/files`,
    `/v1/events?agentId=${agentId}&limit=20`,
    '/v1/agents?status=running',
    '/v1/tasks?status=queued',
    '/v1/events?limit=20',
    '/v1/templates',
    `/v1/templates/${random.pick(templates)}`,
    '/v1/schedules?limit=3',
    '/v1/workflows',
    '/v1/runs?status=running&limit=5',
    '/v1/health',
    '/v1/openapi.json',
  ];
  if (tasks.length > 0) {
    const task = `/v1/tasks/${someTask(customer)}`;
    found.push(task, `${task}?waitSeconds=${random.int(25)}`);
  }
  if (schedules.length > 0) {
    const name = random.pick(schedules);
    found.push(`/v1/schedules/${name}`, `/v1/schedules/${name}/fires?limit=5`, `/v1/events?schedule=${name}`);
  }
  if (workflows.length > 0) found.push(`/v1/workflows/${random.pick(workflows)}`);
  if (runs.length > 0) {
    const run = random.pick(runs.slice(-5));
    found.push(`/v1/runs/${run}`, `/v1/runs/${run}?waitSeconds=${random.int(25)}`, `/v1/events?runId=${run}`);
  }
  return found;
}

/** What must be refused, whatever the state: each with the status that it gets. */
const badRequests: readonly [number, string, string, unknown][] = [
  [422, 'POST', '/v1/agents', { template: 5 }],
  [422, 'POST', '/v1/agents', { template: 'main', colour: 'red' }],
  [404, 'GET', '/v1/agents/agt_01HX0000000000000000000000', undefined],
  [404, 'GET', '/v1/tasks/nonsense', undefined],
  [422, 'GET', '/v1/tasks?limit=1000', undefined],
  [422, 'PUT', '/v1/templates/bad', { driver: { type: 'command', command: [] } }],
  [400, 'POST', '/v1/agents', '{"template":'],
  [422, 'PUT', '/v1/schedules/bad', { expression: 'rate(0 minutes)', target: { workflow: 'flow-0' } }],
  [422, 'PUT', '/v1/workflows/bad', { steps: [{ id: 'a', needs: ['a'], waitFor: 'x' }] }],
  [404, 'GET', '/v1/runs/run_01HX0000000000000000000000', undefined],
  [404, 'POST', '/v1/schedules/nobody/trigger', {}],
];

async function sendNonsense({ world }: Scene, { api, random }: Owner): Promise<void> {
  const [status, method, path, body] = random.pick(badRequests);
  const answer = await api.ask({ method, path, ...(body === undefined ? {} : { body }) });
  if (answer && answer.status !== status)
    world.fail(`${method} ${path} was answered with ${answer.status} instead of ${status}.`);
}

export const readingActions: readonly Action[] = [
  {
    name: 'read',
    weight: 10,
    run: (scene, customer) => customer.api.get(customer.random.pick(paths(scene, customer))),
  },
  { name: 'bad-input', weight: 2, run: sendNonsense },
];
