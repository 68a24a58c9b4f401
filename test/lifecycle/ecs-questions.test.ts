import { expect, test } from 'vitest';
import { throttled } from '../../local/faults.ts';
import { freshStack, stack } from '../support/fresh-stack.ts';

/** ECS answers 20 questions a second, and launches as many tasks: whoever asks once for each has nothing left. */

const asked: string[] = [];

freshStack(async () => {
  asked.length = 0;
  stack.aws.observe(({ service, operation }) => {
    if (service === 'ecs') asked.push(operation);
  });
  await stack.call('PUT', '/v1/templates/echo', {
    driver: { type: 'command', command: ['cat'] },
    idleTimeoutSeconds: 10,
  });
});

/** A task wakes an agent, which pauses after it. */
async function wakeAndPause(): Promise<void> {
  const agent = await stack.call<{ id: string }>('POST', '/v1/agents', { template: 'echo' });
  await stack.call('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x' });
  const status = async () => (await stack.call<{ status: string }>('GET', `/v1/agents/${agent.id}`)).status;
  await stack.until(async () => (await status()) === 'running', 30, 'the wake');
  await stack.until(async () => (await status()) === 'paused', 60, 'the pause');
}

const runningTasks = () => stack.aws.ecs.allTasks().filter(({ lastStatus }) => lastStatus !== 'STOPPED');

test('a runtime whose end an event told is forgotten without a question to ECS', async () => {
  await wakeAndPause();
  asked.length = 0;
  await stack.advance(300);
  expect(asked).not.toContain('DescribeTasks');
  expect(asked).not.toContain('StopTask');
});

test('a runtime of which ECS does not say anything is asked for again, and not stopped', async () => {
  stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));
  const undo = stack.aws.faults.add(({ operation }) => (operation === 'DescribeTasks' ? throttled() : undefined));
  await wakeAndPause();
  await stack.advance(300);
  expect(asked).toContain('DescribeTasks');
  undo();
  asked.length = 0;
  await stack.advance(300);
  expect(asked).toContain('DescribeTasks');
  asked.length = 0;
  await stack.advance(300);
  expect(asked).not.toContain('DescribeTasks');
  expect(runningTasks()).toEqual([]);
});

test('a throttled look-up is not answered with a stop', async () => {
  stack.aws.faults.addDelivery(({ source }) => (source === 'events' ? { copies: 0 } : undefined));
  stack.aws.faults.add(({ operation }) => (operation === 'DescribeTasks' ? throttled() : undefined));
  await wakeAndPause();
  await stack.advance(300);
  expect(asked).not.toContain('StopTask');
});
