import { describe, expect, test } from 'vitest';
import type { AgentResource } from '../../e2e/support/client.ts';
import { queueOrderTest } from '../../e2e/support/shared-tests.ts';
import { api } from './setup.ts';

/** Its tasks' inputs are the scripts that it runs. */
const scripted = (template: object = {}): Promise<AgentResource> =>
  api.agent({ driver: { type: 'command', command: ['sh'] }, task: { maxAttempts: 1 }, ...template });

const held = async (template: object = {}): Promise<AgentResource> => {
  const agent = await scripted(template);
  await api.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true });
  return agent;
};

queueOrderTest(() => api);

describe.concurrent('an agent', () => {
  test('that was paused finds its files again when it wakes', async () => {
    const agent = await scripted();
    await api.run(agent, `mkdir -p 'über' && echo kept > 'über/file' && chmod 700 'über/file' && ln -s nowhere link`);
    await api.call('POST', `/v1/agents/${agent.id}/pause`);
    const paused = await api.untilStatus(agent, 'paused');
    expect(paused.runtime).toBeNull();
    expect(paused.workspace?.generation).toBeGreaterThanOrEqual(1);
    const again = await api.run(agent, `cat 'über/file'; readlink link; ls -l 'über/file' | cut -c1-10`);
    expect(again).toMatchObject({ status: 'succeeded', output: 'kept\nnowhere\n-rwx------\n', attempt: 1 });
  });

  test('that has nothing to do pauses by itself, and wakes for the next task', async () => {
    const agent = await scripted({ idleTimeoutSeconds: 1 });
    await api.run(agent, 'echo first > file');
    await api.untilStatus(agent, 'paused');
    expect(await api.run(agent, 'cat file')).toMatchObject({ status: 'succeeded', output: 'first\n' });
  });

  test('sees no files of another one', async () => {
    const [one, other] = await Promise.all([scripted(), scripted()]);
    await Promise.all([api.run(one, 'echo mine > file'), api.run(other, 'echo theirs > other')]);
    const seen = await Promise.all([api.run(one, 'ls -A'), api.run(other, 'ls -A')]);
    expect(seen.map(({ output }) => output)).toEqual(['file\n', 'other\n']);
  });

  test('that was forked goes on from the files of the first, and leaves those alone', async () => {
    const agent = await scripted();
    await api.run(agent, 'echo shared > file');
    await api.call('POST', `/v1/agents/${agent.id}/pause`);
    await api.untilStatus(agent, 'paused');
    const fork = await api.call<AgentResource>('POST', `/v1/agents/${agent.id}/fork`, {});
    expect((await api.run(fork, 'cat file; echo mine > file')).output).toBe('shared\n');
    expect((await api.run(agent, 'cat file')).output).toBe('shared\n');
  });

  test('that is archived keeps its files until it is restored, and takes no task meanwhile', async () => {
    const agent = await scripted();
    await api.run(agent, 'echo kept > file');
    await api.call('POST', `/v1/agents/${agent.id}/pause`);
    await api.untilStatus(agent, 'paused');
    await api.call('POST', `/v1/agents/${agent.id}/archive`);
    await api.untilStatus(agent, 'archived');
    const refused = await api.request('POST', `/v1/agents/${agent.id}/tasks`, { input: 'true' });
    expect(refused.body).toMatchObject({ status: 409, code: 'agent_archived' });
    await api.call('POST', `/v1/agents/${agent.id}/restore`);
    expect(await api.run(agent, 'cat file')).toMatchObject({ status: 'succeeded', output: 'kept\n' });
  });

  test('runs as many tasks at once as its concurrency says', async () => {
    const agent = await held({ concurrency: 3 });
    // None ends before all three are there.
    const script = `touch in-$ROUSE_TASK_ID
      i=0; until [ $(ls in-* | wc -l) -ge 3 ]; do i=$((i+1)); [ $i -lt 600 ] || exit 1; sleep 0.05; done`;
    const tasks = [];
    for (let i = 0; i < 3; i++) tasks.push(await api.submit(agent, script));
    await api.call('POST', `/v1/agents/${agent.id}/resume`);
    const ends = await Promise.all(tasks.map((task) => api.finished(task)));
    expect(ends.map(({ status }) => status)).toEqual(Array(3).fill('succeeded'));
  });

  test('that is terminated ends what runs and what waits, and takes no more', async () => {
    const agent = await scripted({ cancelGraceSeconds: 1 });
    const running = await api.submit(agent, 'sleep 300');
    await api.until(
      'its start',
      () => api.task(running),
      ({ status }) => status === 'running',
    );
    const waiting = await api.submit(agent, 'echo never');
    await api.call('DELETE', `/v1/agents/${agent.id}`);
    const ends = [await api.finished(running), await api.finished(waiting)];
    expect(ends.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    expect((await api.untilStatus(agent, 'terminated')).runtime).toBeNull();
    const refused = await api.request('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x' });
    expect(refused.body).toMatchObject({ status: 409, code: 'agent_terminated' });
  });
});
