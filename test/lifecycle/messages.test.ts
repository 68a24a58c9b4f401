import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { sendFrom } from '../support/shim-api.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import type { FunctionCall } from '../support/stack.ts';
import { crashEverywhere, eventually } from './crash-everywhere.ts';

interface MessageResource {
  id: string;
  agentId: string;
  from: { type: string; id: string };
  topic: string | null;
  replyTo: string | null;
  taskId: string;
  status: string;
}

const idleSeconds = 60;

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: idleSeconds });
  agent = await client.createAgent('echo');
});

const send = (message: object, to = agent, headers?: Record<string, string>) =>
  stack.call<MessageResource>('POST', `/v1/agents/${to.id}/messages`, message, 202, headers);
const messagesOf = async ({ id }: AgentResource, query = '') =>
  (await stack.call<{ items: MessageResource[] }>('GET', `/v1/agents/${id}/messages${query}`)).items;

test('a message wakes a paused agent, which takes it as a task', async () => {
  const sent = await send({ body: { price: 3 }, topic: 'prices' });
  expect(sent).toMatchObject({ agentId: agent.id, topic: 'prices', replyTo: null, status: 'queued' });
  expect(sent).toMatchObject({ id: expect.stringMatching(/^msg_/), from: { type: 'key' } });
  let taken: unknown;
  stack.fleet.program = (task) => {
    taken = task;
    return 'noted';
  };
  const task = await client.ended(sent.taskId);
  const { id, from, topic, replyTo } = sent;
  expect(taken).toMatchObject({ input: { price: 3 }, message: { id, from, topic, replyTo } });
  expect(task).toMatchObject({ status: 'succeeded', output: 'noted', message: { id, from, topic, replyTo } });
  expect(await messagesOf(agent)).toEqual([{ ...sent, status: 'succeeded', finishedAt: expect.stringMatching(/^2/) }]);
});

test('its idle time counts from the end of its last message', async () => {
  await client.ended((await send({ body: 'first' })).taskId);
  await stack.advance(idleSeconds - 10);
  const second = await send({ body: 'second' });
  await client.ended(second.taskId);
  await stack.advance(idleSeconds - 10);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'running' });
  expect(await client.becomes(agent.id, 'paused', 40)).toBeLessThan(20);
});

test('a hundred messages for a paused agent start one runtime, and are taken in their order', async () => {
  const taken: unknown[] = [];
  stack.fleet.program = ({ input }) => taken.push(input);
  for (let n = 0; n < 20; n++) {
    await Promise.all([0, 1, 2, 3, 4].map((part) => send({ body: [n, part] })));
    stack.clock.step(stack.clock.now() + 1);
  }
  await stack.until(() => taken.length === 100, 200, 'the last message');
  expect(taken.map((body) => (body as number[])[0])).toEqual(taken.map((_, index) => Math.floor(index / 5)));
  expect(stack.fleet.shims).toHaveLength(1);
});

test('one that wakes nobody is taken when the agent runs for something else', async () => {
  const quiet = await send({ body: 'when you have time', wake: false });
  await stack.advance(600);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused', tasks: { queued: 1 } });
  expect(await client.task(quiet.taskId)).toMatchObject({
    status: 'queued',
    statusReason: 'it wakes nobody: its agent takes it when it next runs',
  });
  await client.ended((await client.submit(agent.id, 'now')).id);
  expect(await client.ended(quiet.taskId)).toMatchObject({ status: 'succeeded', output: 'when you have time' });
});

test('one that wakes nobody and was begun is finished: a retry wakes', async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 5, task: { retry: { initialSeconds: 90, maxSeconds: 90 } } });
  const eager = await client.createAgent('echo');
  const quiet = await send({ body: 'y', wake: false }, eager);
  stack.fleet.program = ({ message, fence }) => {
    if (message && fence === 1) throw new ProgramFailure('exit_1');
  };
  await client.ended((await client.submit(eager.id, 'x')).id);
  await client.becomes(eager.id, 'paused', 60);
  expect(await client.task(quiet.taskId)).toMatchObject({ status: 'queued', attempt: 1 });
  expect(await client.ended(quiet.taskId, 200)).toMatchObject({ status: 'succeeded', attempt: 2 });
});

test('one that wakes nobody reaches an agent that runs at once', async () => {
  await client.ended((await client.submit(agent.id, 'x')).id);
  const quiet = await send({ body: 'y', wake: false });
  await stack.advance(2);
  expect(await client.task(quiet.taskId)).toMatchObject({ status: 'succeeded' });
});

test('an agent that pauses goes on for one that arrives meanwhile, or leaves it for later', async () => {
  await client.ended((await client.submit(agent.id, 'x')).id);
  for (const wake of [true, false]) {
    let sent: MessageResource | undefined;
    stack.meanwhile = async (call) => {
      if (sent || call.function !== 'runtime' || !String(call.request.body).includes('stopping')) return;
      stack.meanwhile = undefined;
      sent = await send({ body: 'in between', wake });
    };
    await stack.until(() => sent !== undefined, 200, 'the pause');
    if (wake) await client.ended(sent!.taskId);
    else await client.becomes(agent.id, 'paused');
  }
  expect(await client.agent(agent.id)).toMatchObject({ tasks: { running: 0 } });
});

test('agents talk: a task sends, the other answers to whom it is told to', async () => {
  const asker = await client.createAgent('echo', { name: 'asker' });
  const heard: unknown[] = [];
  stack.fleet.program = async (task, shim) => {
    const { message } = task;
    if (message?.topic === 'answer') return heard.push(task.input);
    if (message) await sendFrom(shim, task, 1, { to: message.replyTo, topic: 'answer', body: `${task.input} is 4` });
    else await sendFrom(shim, task, 1, { to: agent.id, topic: 'question', body: '2 + 2', replyTo: asker.id });
  };
  await client.ended((await client.submit(asker.id, 'ask')).id);
  await stack.until(() => heard.length > 0, 200, 'the answer');
  expect(heard).toEqual(['2 + 2 is 4']);
  expect(await messagesOf(agent)).toMatchObject([{ from: { type: 'agent', id: asker.id }, topic: 'question' }]);
  expect(await messagesOf(asker)).toMatchObject([{ from: { type: 'agent', id: agent.id }, topic: 'answer' }]);
  const told = await client.event(agent.id, 'message.sent');
  expect(told).toMatchObject({ data: { from: { type: 'agent', id: asker.id }, topic: 'question', replyTo: asker.id } });
});

test('a message that a shim sends twice, since it heard no answer, is sent once', async () => {
  const other = await client.createAgent('echo');
  stack.fleet.program = async (task, shim) => {
    if (task.message) return;
    const twice = [
      await sendFrom(shim, task, 1, { to: other.id, body: 'x' }),
      await sendFrom(shim, task, 1, { to: other.id, body: 'x' }),
    ];
    expect(twice[0]).toEqual(twice[1]);
    await sendFrom(shim, task, 2, { to: other.id, body: 'x' });
  };
  expect(await client.ended((await client.submit(agent.id, 'go')).id)).toMatchObject({ status: 'succeeded' });
  expect(await messagesOf(other)).toHaveLength(2);
});

test('who has lost the fence sends nothing', async () => {
  const other = await client.createAgent('echo');
  let refused: unknown;
  stack.fleet.program = async (task, shim) => {
    if (task.message) return;
    const grip = { ...task, fence: task.fence + 1 };
    refused = await sendFrom(shim, grip, 1, { to: other.id, body: 'x' }).catch((error) => error);
  };
  await client.ended((await client.submit(agent.id, 'go')).id);
  expect(String(refused)).toContain('is not the current one');
  expect(await messagesOf(other)).toEqual([]);
});

test('the same request sends one message', async () => {
  const headers = { 'idempotency-key': 'once' };
  const first = await send({ body: 'x' }, agent, headers);
  expect(await send({ body: 'x' }, agent, headers)).toEqual(first);
  expect(await messagesOf(agent)).toHaveLength(1);
});

test('the list has messages alone, of the asked status, newest first', async () => {
  await client.submit(agent.id, 'a task');
  const one = await send({ body: 1 });
  await client.ended(one.taskId);
  await stack.call('POST', `/v1/agents/${agent.id}/pause`, { hold: true, force: true });
  await client.becomes(agent.id, 'paused');
  await stack.advance(1);
  const two = await send({ body: 2 });
  expect((await messagesOf(agent)).map(({ id }) => id)).toEqual([two.id, one.id]);
  expect((await messagesOf(agent, '?status=queued')).map(({ id }) => id)).toEqual([two.id]);
  expect((await messagesOf(agent, '?limit=1')).map(({ id }) => id)).toEqual([two.id]);
});

test('a message that nobody can take is refused, and says why', async () => {
  const post = (path: string, body: unknown, status: number) => stack.call('POST', path, body, status);
  const path = `/v1/agents/${agent.id}/messages`;
  expect(await post('/v1/agents/agt_nobody/messages', { body: 1 }, 404)).toMatchObject({ code: 'not_found' });
  expect(await post(path, {}, 422)).toMatchObject({ issues: [{ path: 'body' }] });
  expect(await post(path, { body: 1, to: 'x' }, 422)).toMatchObject({ issues: [{ path: 'to' }] });
  expect(await post(path, { body: 1, replyTo: 'bob' }, 422)).toMatchObject({ issues: [{ path: 'replyTo' }] });
  await stack.call('POST', `/v1/agents/${agent.id}/archive`);
  expect(await post(path, { body: 1 }, 409)).toMatchObject({ code: 'agent_archived' });
});

test('a message that failed can be tried again, and is still a message', async () => {
  stack.fleet.program = () => Promise.reject(new Error('not now'));
  const sent = await send({ body: 'x', topic: 'again' });
  await stack.until(async () => (await client.task(sent.taskId)).status === 'failed', 300, 'the failure');
  stack.fleet.program = ({ input }) => input;
  const again = await stack.call<{ id: string }>('POST', `/v1/tasks/${sent.taskId}/retry`, undefined, 202);
  expect(await client.ended(again.id)).toMatchObject({ status: 'succeeded', message: { topic: 'again' } });
  expect(await messagesOf(agent)).toHaveLength(2);
});

/** A client that repeats what got no answer, with the same Idempotency-Key. */
async function insist(key: string): Promise<string> {
  for (let tries = 0; tries < 4; tries++) {
    const answer = await stack.request(
      'POST',
      `/v1/agents/${agent.id}/messages`,
      { body: key },
      { 'idempotency-key': key },
    );
    if (answer.status === 202) return answer.body.taskId as string;
    expect(answer.status).toBe(500);
  }
  throw new Error('The message was never accepted.');
}

const isOfMessage = ({ function: name }: FunctionCall) => name === 'api' || name === 'runtime';

test.each([
  ['before', 5],
  ['after', 9],
] as const)(
  'it is taken once, %s whichever AWS call of its way a function dies: from a client, and on from its task',
  async (fate, least) => {
    const other = await client.createAgent('echo');
    const taken: unknown[] = [];
    stack.fleet.program = async (task, shim) => {
      if (task.message?.from.type === 'agent') return taken.push(task.input);
      await sendFrom(shim, task, 1, { to: other.id, body: task.input });
    };
    let messages = 0;
    await crashEverywhere(stack, fate, isOfMessage, least, async () => {
      const key = `message-${++messages}`;
      const taskId = await insist(key);
      await eventually(stack, key, async () => taken.includes(key));
      expect(await client.ended(taskId)).toMatchObject({ status: 'succeeded', attempt: 1 });
      expect(taken.filter((one) => one === key)).toHaveLength(1);
    });
    expect(await messagesOf(other, '?limit=200')).toHaveLength(messages);
  },
  120_000,
);
