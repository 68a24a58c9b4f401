import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentStatus, agentStatuses } from '../../lib/domain/agent.ts';
import { Client } from '../support/client.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import { TestStack } from '../support/stack.ts';

interface Verb {
  name: string;
  method: string;
  path: string;
  body?: unknown;
  allowed: readonly AgentStatus[];
}

const living = ['paused', 'starting', 'running', 'stopping'] as const;
const existing = [...living, 'archived', 'error'] as const;

const verbs: Verb[] = [
  { name: 'pause', method: 'POST', path: '/pause', body: { force: true }, allowed: living },
  { name: 'hold', method: 'POST', path: '/pause', body: { hold: true }, allowed: living },
  { name: 'resume', method: 'POST', path: '/resume', allowed: living },
  { name: 'archive', method: 'POST', path: '/archive', allowed: ['paused', 'error'] },
  { name: 'restore', method: 'POST', path: '/restore', allowed: ['archived'] },
  { name: 'recover', method: 'POST', path: '/recover', allowed: ['error'] },
  { name: 'fork', method: 'POST', path: '/fork', body: {}, allowed: existing },
  {
    name: 'roll back',
    method: 'POST',
    path: '/rollback',
    body: { generation: 1 },
    allowed: ['paused', 'archived', 'error'],
  },
  { name: 'keep active', method: 'POST', path: '/activity', body: { seconds: 60 }, allowed: ['starting', 'running'] },
  { name: 'change', method: 'PATCH', path: '', body: { name: 'other' }, allowed: existing },
  { name: 'terminate', method: 'DELETE', path: '', allowed: [...existing, 'terminated'] },
];

let stack: TestStack;
let client: Client;
/** An agent of each status for each verb: a verb may change it. */
const agents = new Map<string, string>();

const call = (id: string, verb: string, body?: unknown) => stack.call('POST', `/v1/agents/${id}/${verb}`, body);

/** From running, with a saved workspace and a shim that will do nothing more by itself. */
const ways: Record<AgentStatus, (id: string) => Promise<unknown>> = {
  running: async () => {},
  stopping: (id) => call(id, 'pause', {}),
  paused: (id) => leave(id, 'signal'),
  starting: async (id) => {
    await leave(id, 'signal');
    await call(id, 'resume');
  },
  archived: async (id) => {
    await leave(id, 'signal');
    await call(id, 'archive');
  },
  error: (id) => leave(id, 'workspace_failed'),
  terminated: async (id) => {
    await leave(id, 'signal');
    await stack.call('DELETE', `/v1/agents/${id}`);
  },
};

async function leave(id: string, reason: string): Promise<void> {
  const shim = stack.fleet.shims.find(({ agentId }) => agentId === id)!;
  await shim.post('stop', { reason });
}

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 3600 });
  for (const status of agentStatuses)
    for (const verb of verbs)
      agents.set(`${status} ${verb.name}`, (await client.createAgent('echo', { start: true })).id);
  await stack.until(() => stack.fleet.living.length === agents.size, 60, 'every container');
  await stack.advance(2);
  for (const shim of stack.fleet.shims) {
    await shim.saveWorkspace(['a']);
    shim.mute = true;
  }
  stack.fleet.onStart = () => false;
  for (const status of agentStatuses)
    for (const verb of verbs) await ways[status](agents.get(`${status} ${verb.name}`)!);
  await stack.advance(2);
}, 120_000);

afterAll(() => stack.close());

describe.each(agentStatuses)('an agent that is %s', (status) => {
  const idFor = (verb: Verb) => agents.get(`${status} ${verb.name}`)!;

  test('says since when and why', async () => {
    const agent = await stack.call('GET', `/v1/agents/${idFor(verbs[0]!)}`);
    expect(agent).toMatchObject({
      status,
      statusSince: expect.stringMatching(/^20/),
      statusReason: status === 'terminated' ? null : expect.stringMatching(/\w+/),
    });
  });

  test.each(verbs)('can be asked to $name, or says when it could be', async (verb) => {
    const answer = await stack.request(verb.method, `/v1/agents/${idFor(verb)}${verb.path}`, verb.body);
    if (verb.allowed.includes(status)) return expect(answer.status).toBeLessThan(300);
    // Nothing brings it back, so there is nothing to wait for.
    if (answer.body.code === 'agent_terminated') return expect([status, answer.status]).toEqual(['terminated', 409]);
    expect(answer).toMatchObject({ status: 409, body: { code: 'illegal_transition', currentStatus: status } });
    expect(answer.body.detail).toContain(`It can be done while it is ${verb.allowed.join(', ')}.`);
  });
});

describe('a task', () => {
  /** On an agent that is held, so that it stays queued until it is resumed. */
  async function submitted(program: 'for ever' | 'answers' | 'fails') {
    const agent = await client.createAgent('echo');
    await call(agent.id, 'pause', { hold: true });
    stack.fleet.onStart = () => true;
    stack.fleet.program = () => {
      if (program === 'fails') throw new ProgramFailure('exit_1');
      return program === 'answers' ? 'done' : new Promise(() => {});
    };
    return { agent, task: await client.submit(agent.id, 'x', { maxAttempts: 1 }) };
  }

  const reach: Record<string, () => Promise<string>> = {
    queued: async () => (await submitted('for ever')).task.id,
    running: async () => {
      const { agent, task } = await submitted('for ever');
      await call(agent.id, 'resume');
      await client.reaches(task.id, 'running');
      return task.id;
    },
    cancelling: async () => {
      const id = await reach.running!();
      stack.fleet.newest.mute = true;
      await stack.call('POST', `/v1/tasks/${id}/cancel`);
      return id;
    },
    succeeded: async () => {
      const { agent, task } = await submitted('answers');
      await call(agent.id, 'resume');
      return (await client.ended(task.id)).id;
    },
    failed: async () => {
      const { agent, task } = await submitted('fails');
      await call(agent.id, 'resume');
      return (await client.ended(task.id)).id;
    },
    cancelled: async () => {
      const id = await reach.queued!();
      await stack.call('POST', `/v1/tasks/${id}/cancel`);
      return id;
    },
  };
  const mayBe = {
    cancel: ['queued', 'running', 'cancelling', 'cancelled'],
    retry: ['failed', 'timed_out', 'cancelled'],
  } as const;

  test.each(Object.keys(reach))('that is %s says since when and why, and what may be done', async (status) => {
    const id = await reach[status]!();
    const isOver = !['queued', 'running', 'cancelling'].includes(status);
    expect(await client.task(id)).toMatchObject({
      status,
      statusSince: expect.stringMatching(/^20/),
      statusReason: isOver ? null : expect.stringMatching(/\w+/),
    });
    for (const verb of ['retry', 'cancel'] as const) {
      const answer = await stack.request('POST', `/v1/tasks/${id}/${verb}`);
      if ((mayBe[verb] as readonly string[]).includes(status)) expect(answer.status).toBe(202);
      else
        expect(answer).toMatchObject({
          status: 409,
          body: {
            code: 'illegal_transition',
            currentStatus: status,
            detail: expect.stringMatching(/It can be done while it is \w+/),
          },
        });
    }
  });
});
