import { expect, test } from 'vitest';
import { freshStack, stack } from '../support/fresh-stack.ts';

freshStack(async () => {
  await stack.call('PUT', '/v1/templates/echo', {
    driver: { type: 'command', command: ['cat'] },
    idleTimeoutSeconds: 60,
  });
});

interface AgentResource {
  id: string;
  status: string;
  statusReason: string | null;
  runtime: { id: string; taskArn: string | null } | null;
  tasks: { queued: number; running: number };
}
interface TaskResource {
  id: string;
  status: string;
  output: unknown;
  attempt: number;
  failures: number;
  error: { code: string; message: string } | null;
}

const agentOf = (id: string) => stack.call<AgentResource>('GET', `/v1/agents/${id}`);
const taskOf = (id: string) => stack.call<TaskResource>('GET', `/v1/tasks/${id}`);
const eventTypes = async (agentId: string) =>
  (
    await stack.call<{ items: { type: string; seq: number }[] }>('GET', `/v1/events?agentId=${agentId}&limit=200`)
  ).items.map((event) => event.type);

test('a task wakes a paused agent, is answered, and the idle agent pauses', async () => {
  const agent = await stack.call<AgentResource>('POST', '/v1/agents', { template: 'echo' }, 201);
  const task = await stack.call<TaskResource>('POST', `/v1/agents/${agent.id}/tasks`, { input: 'hello' }, 202);
  await stack.until(async () => (await taskOf(task.id)).status === 'succeeded', 10, 'the answer');
  expect(await taskOf(task.id)).toMatchObject({ output: 'hello', attempt: 1, failures: 0, error: null });
  expect(await agentOf(agent.id)).toMatchObject({ status: 'running', tasks: { queued: 0, running: 0 } });

  await stack.until(async () => (await agentOf(agent.id)).status === 'paused', 70, 'the pause');
  expect(stack.fleet.living).toEqual([]);
  expect(await eventTypes(agent.id)).toEqual([
    'agent.created',
    'task.queued',
    'agent.starting',
    'agent.running',
    'task.started',
    'task.succeeded',
    'agent.stopping',
    'agent.paused',
  ]);
});
