import { expect, test } from 'vitest';
import { TestStack } from '../support/stack.ts';

/** The bound that the design publishes for a silent crash when every ECS event is lost. */
const boundSeconds = 360;

interface EventResource {
  type: string;
  data: Record<string, unknown>;
}

test('a dead runtime is replaced within the published bound when every ECS event is lost', async () => {
  const stack = await TestStack.start();
  try {
    let dropped = 0;
    stack.aws.faults.addDelivery(({ source }) => {
      if (source !== 'events') return undefined;
      dropped += 1;
      return { copies: 0 };
    });
    await stack.call('PUT', '/v1/templates/echo', { driver: { type: 'command', command: ['cat'] } });
    stack.fleet.program = (task) => (task.fence === 1 ? new Promise(() => {}) : 'again');
    const agent = await stack.call<{ id: string }>('POST', '/v1/agents', { template: 'echo' });
    const task = await stack.call<{ id: string }>('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x' });
    const now = () => stack.call<{ status: string; attempt: number }>('GET', `/v1/tasks/${task.id}`);
    await stack.until(async () => (await now()).status === 'running', 10, 'the first attempt');

    stack.fleet.newest.die(137);
    await stack.until(async () => (await now()).status === 'succeeded', boundSeconds, 'the second attempt');

    expect(dropped).toBeGreaterThan(0);
    expect(await now()).toMatchObject({ attempt: 2, failures: 0, output: 'again' });
    const { items } = await stack.call<{ items: EventResource[] }>('GET', `/v1/events?agentId=${agent.id}&limit=200`);
    expect(items.find(({ type }) => type === 'agent.runtime_lost')).toMatchObject({
      data: { proof: expect.stringContaining('137') },
    });
  } finally {
    await stack.close();
  }
});

test('a dead runtime is replaced within seconds when its event arrives', async () => {
  const stack = await TestStack.start();
  try {
    await stack.call('PUT', '/v1/templates/echo', { driver: { type: 'command', command: ['cat'] } });
    stack.fleet.program = (task) => (task.fence === 1 ? new Promise(() => {}) : 'again');
    const agent = await stack.call<{ id: string }>('POST', '/v1/agents', { template: 'echo' });
    const task = await stack.call<{ id: string }>('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x' });
    const now = () => stack.call<{ status: string }>('GET', `/v1/tasks/${task.id}`);
    await stack.until(async () => (await now()).status === 'running', 10, 'the first attempt');

    stack.fleet.newest.die(137);
    await stack.until(async () => (await now()).status === 'succeeded', 3, 'the second attempt');
  } finally {
    await stack.close();
  }
});
