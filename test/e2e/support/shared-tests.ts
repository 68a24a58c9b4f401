import { beforeAll, describe, expect, test } from 'vitest';
import type { AgentResource, ApiClient } from './client.ts';

/** Tests that hold on the local stack, in every `npm test`, and wherever the deployed suite runs. */

/** Inputs and outputs of any size. */
export function payloadTests(api: () => ApiClient): void {
  let scripts: AgentResource;
  let counter: AgentResource;
  beforeAll(async () => {
    const more = { task: { maxAttempts: 1 }, concurrency: 2 };
    scripts = await api().agent({ driver: { type: 'command', command: ['sh'] }, ...more });
    counter = await api().agent({ driver: { type: 'command', command: ['wc', '-c'] }, ...more });
  });

  describe('an output', () => {
    test('that is large comes by a URL', async () => {
      const task = await api().run(scripts, 'head -c 3000000 /dev/zero | tr "\\0" a');
      expect(task).toMatchObject({ status: 'succeeded', output: null });
      const response = await fetch(task.outputUrl!);
      expect(await response.text()).toBe('a'.repeat(3_000_000));
    });
  });

  describe('an input', () => {
    test('that is large reaches the program whole, and stays readable by a URL', async () => {
      const input = 'ä'.repeat(100_000);
      const task = await api().run(counter, input);
      expect(Number(task.output)).toBe(200_000);
      expect(await (await fetch(task.inputUrl!)).text()).toBe(input);
    });

    test('that was uploaded reaches the program byte for byte', async () => {
      const bytes = Buffer.alloc(2_000_000, 0xff);
      const upload = await api().call<{ ref: string; url: string; headers: Record<string, string> }>(
        'POST',
        '/v1/uploads',
        { sizeBytes: bytes.length },
      );
      const put = await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: bytes });
      expect(put.status).toBe(200);
      const task = await api().run(counter, { $ref: upload.ref });
      expect(Number(task.output)).toBe(bytes.length);
    });
  });
}

/** Which task of a queue is next. */
export function queueOrderTest(api: () => ApiClient): void {
  test('a queue goes by priority, then by age', async () => {
    const agent = await api().shell('true');
    await api().call('POST', `/v1/agents/${agent.id}/pause`, { hold: true });
    const names = new Map<string, string>();
    for (const [name, priority] of [
      ['old', 0],
      ['low', -600],
      ['high', 600],
      ['young', 0],
    ] as const)
      names.set((await api().submit(agent, 'x', { priority })).id, name);
    await api().call('POST', `/v1/agents/${agent.id}/resume`);
    const tasks = [...names.keys()].map((id) => ({ id }));
    const events = await api().eventsWith(agent, 'task.succeeded', tasks);
    const started = events.filter(({ type }) => type === 'task.started');
    expect(started.map(({ taskId }) => names.get(taskId!))).toEqual(['high', 'old', 'young', 'low']);
  });
}
