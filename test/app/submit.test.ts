import { describe, expect, it } from 'vitest';
import type { Deps } from '../../lib/app/deps.ts';
import type { TemplateSpec } from '../../lib/app/ports.ts';
import { submitTask } from '../../lib/app/tasks.ts';
import { AgentStore } from '../../lib/aws/agent-store.ts';
import { TaskStore } from '../../lib/aws/task-store.ts';
import { TemplateStore } from '../../lib/aws/template-store.ts';
import { newUlid } from '../../lib/domain/id.ts';
import { crashAfter, makeTables } from '../aws/tables.ts';
import { agentId, anAgent, bytesFrom, nowMs } from '../support/builders.ts';

const tenant = 'default';
const spec = { task: { timeoutSeconds: 60, maxAttempts: 3, heartbeatSeconds: 60 } } as TemplateSpec;
const seed = newUlid(nowMs, bytesFrom(7));

async function setUp() {
  const { state, environment } = await makeTables();
  const [agents, tasks, templates] = [new AgentStore(state), new TaskStore(state, Date.now), new TemplateStore(state)];
  const version = { name: 'words', version: 1, spec, taskDefinitionArn: 'a', taskRoleArn: 'r', createdMs: nowMs };
  await templates.put(tenant, version);
  await agents.create(anAgent(), []);
  const submit = (atMs: number) => {
    const deps = { agents, tasks, templates, now: () => atMs, random: bytesFrom(atMs) } as unknown as Deps;
    const command = { input: 'go', output: { type: 'text' }, priority: 0, onBusy: 'enqueue', metadata: {} } as const;
    return submitTask(deps, tenant, agentId, seed, command, { actor: { type: 'key', id: 'key_1' }, cause: 'req_1' });
  };
  const queue = async () => {
    const all = [];
    for await (const page of tasks.queue(tenant, agentId)) all.push(...page);
    return all;
  };
  return { environment, submit, queue };
}

describe('a replayed submit', () => {
  it('finds the task at the place that the first try gave it', async () => {
    const { submit, queue } = await setUp();
    const first = await submit(nowMs);
    const again = await submit(nowMs + 5000);
    expect(again.record).toEqual(first.record);
    expect(await queue()).toEqual([first.live]);
  });

  it('makes the one live row that a crash left out', async () => {
    const { environment, submit, queue } = await setUp();
    crashAfter(environment, 'PutItem');
    await expect(submit(nowMs)).rejects.toThrow('InternalServerError');
    expect(await queue()).toEqual([]);
    const { record } = await submit(nowMs + 5000);
    expect(await queue()).toEqual([expect.objectContaining({ id: record.id, place: record.place })]);
  });
});
