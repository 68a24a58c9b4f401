import { describe, expect, test } from 'vitest';
import { api } from './setup.ts';

interface Fire {
  outcome: string;
  cause: string;
  taskId: string;
  result: { status: string } | null;
}

interface Run {
  id: string;
  status: string;
  output: unknown;
  steps: Record<string, { status: string; output: unknown }>;
}

const unique = (name: string): string => `${name}-${Date.now().toString(36)}`;

describe.concurrent('a schedule', () => {
  test('fires at its time, and its task is done', async () => {
    const agent = await api.shell('cat');
    const name = unique('once');
    const at = new Date(Date.now() + 5000).toISOString().slice(0, 19);
    const task = { input: '{% "fired for " & $fire.scheduledTime %}' };
    await api.call('PUT', `/v1/schedules/${name}`, { expression: `at(${at})`, target: { agentId: agent.id, task } });
    const [fire] = await api.until(
      'the fire',
      async () => (await api.call<{ items: Fire[] }>('GET', `/v1/schedules/${name}/fires`)).items,
      ([first]) => first?.result,
    );
    expect(fire).toMatchObject({ cause: 'schedule', outcome: 'started', result: { status: 'succeeded' } });
    expect((await api.task({ id: fire!.taskId })).output).toContain(at);
    await api.call('DELETE', `/v1/schedules/${name}`);
  });
});

describe.concurrent('a workflow', () => {
  test('runs its steps in order, on an agent and on a fresh one, and hands on what they give', async () => {
    const agent = await api.shell('tr a-z A-Z');
    const { template } = await api.call<{ template: string }>('GET', `/v1/agents/${(await api.shell('wc -c')).id}`);
    const name = unique('shout');
    await api.call('PUT', `/v1/workflows/${name}`, {
      steps: [
        { id: 'shout', agent: agent.id, input: '{% $run.input.text %}' },
        { id: 'count', template, needs: ['shout'], input: '{% $steps.shout.output %}' },
      ],
      output: '{% $steps.shout.output & ":" & $trim($steps.count.output) %}',
    });
    const { id } = await api.call<Run>('POST', `/v1/workflows/${name}/runs`, { input: { text: 'hello' } });
    const run = await api.until(
      'its end',
      () => api.call<Run>('GET', `/v1/runs/${id}`),
      ({ status }) => status !== 'running',
    );
    expect(run).toMatchObject({ status: 'succeeded', output: 'HELLO:5' });
    expect(run.steps).toMatchObject({ shout: { status: 'succeeded' }, count: { status: 'succeeded' } });
  });

  test('waits for an approval', async () => {
    const name = unique('ask');
    await api.call('PUT', `/v1/workflows/${name}`, {
      steps: [{ id: 'ask', approval: { prompt: 'Go on?' } }],
      output: '{% $steps.ask.output.approved %}',
    });
    const { id } = await api.call<Run>('POST', `/v1/workflows/${name}/runs`, {});
    await api.until(
      'the question',
      () => api.call<Run>('GET', `/v1/runs/${id}`),
      ({ steps }) => steps.ask?.status === 'waiting',
    );
    await api.call('POST', `/v1/runs/${id}/steps/ask/approve`, {});
    const run = await api.until(
      'its end',
      () => api.call<Run>('GET', `/v1/runs/${id}`),
      ({ status }) => status !== 'running',
    );
    expect(run).toMatchObject({ status: 'succeeded', output: true });
  });
});
