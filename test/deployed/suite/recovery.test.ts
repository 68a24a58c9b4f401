import { StopTaskCommand } from '@aws-sdk/client-ecs';
import { describe, expect, test } from 'vitest';
import type { AgentResource, TaskResource } from '../../e2e/support/client.ts';
import { makeClients } from '../clients.ts';
import { api, target } from './setup.ts';

const { ecs } = makeClients(target);

/** The script of a task that runs until it is tried again. */
const endless = '[ $ROUSE_ATTEMPT = 2 ] && { echo again; exit; }; sleep 300';

/** An agent whose silence is noticed soon. */
const watched = (): Promise<AgentResource> =>
  api.agent({ driver: { type: 'command', command: ['sh'] }, task: { heartbeatSeconds: 3 } });

const running = (task: TaskResource) =>
  api.until(
    'its start',
    () => api.task(task),
    ({ status }) => status === 'running',
  );

describe.concurrent('a container that ends in the middle of a task', () => {
  test('because ECS stopped it: the task runs again elsewhere, without blame', async () => {
    const agent = await watched();
    const task = await api.submit(agent, endless);
    await running(task);
    const before = (await api.agentNow(agent)).runtime!;
    await ecs.send(new StopTaskCommand({ cluster: target.outputs.Cluster, task: before.taskArn!, reason: 'a test' }));
    expect(await api.finished(task)).toMatchObject({ status: 'succeeded', output: 'again\n', failures: 0 });
    expect((await api.agentNow(agent)).runtime!.id).not.toBe(before.id);
  });

  test('because its shim was killed: the task runs again elsewhere, without blame', async () => {
    const agent = await watched();
    const task = await api.submit(agent, `[ $ROUSE_ATTEMPT = 2 ] && { echo again; exit; }; kill -9 $PPID; sleep 300`);
    expect(await api.finished(task)).toMatchObject({ status: 'succeeded', output: 'again\n', failures: 0 });
    const events = await api.eventsWith(agent, 'task.succeeded', [task]);
    expect(events.map(({ type }) => type)).toContain('agent.runtime_lost');
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  });
});
