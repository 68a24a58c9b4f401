import { expect, test } from 'vitest';
import { timeOf } from '../../lib/domain/id.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { Adversary, usage } from './adversary-runtime.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

test('an answer that points to an object of somebody else is refused', async () => {
  stack.fleet.program = () => new Promise(() => {});
  const task = await client.submit(agent.id, 'x');
  await client.reaches(task.id, 'running');
  const adversary = new Adversary(stack, stack.fleet.newest);
  const place = String(timeOf(task.id));
  for (const key of ['aws/lambda/failed', 'tasks/other/tsk_1/output-1', `tasks/default/${task.id}/output-2`]) {
    const body = { fence: 1, place, outputRef: { key, bytes: 1 }, usage, slots: 0 };
    expect(await adversary.call(`tasks/${task.id}/complete`, body)).toMatchObject({
      status: 422,
      body: { code: 'invalid', issues: [{ path: 'outputRef.key' }] },
    });
  }
  expect(await client.task(task.id)).toMatchObject({ status: 'running' });
});

test('a role of the same name in another account does not enrol', async () => {
  stack.fleet.onStart = () => false;
  await client.submit(agent.id, 'x');
  await stack.until(() => stack.fleet.shims.length === 1, 30, 'the container');
  await stack.advance(5);
  const adversary = new Adversary(stack, stack.fleet.newest);
  expect(await adversary.enrol(adversary.taskRoleArn.replace(/\d{12}/, '999999999999'))).toMatchObject({
    status: 401,
    body: { code: 'identity_refused' },
  });
  expect(await client.agent(agent.id)).toMatchObject({ status: 'starting' });
  expect(await adversary.enrol(adversary.taskRoleArn)).toMatchObject({ status: 200 });
});

test('of two that enrol at the same moment one has the runtime', async () => {
  stack.fleet.onStart = () => false;
  await client.submit(agent.id, 'x');
  await stack.until(() => stack.fleet.shims.length === 1, 30, 'the container');
  await stack.advance(5);
  const adversary = new Adversary(stack, stack.fleet.newest);
  const nonces = ['one', 'two', 'three'].map((text) => Buffer.alloc(32, text).toString('base64'));
  const answers = await Promise.all(nonces.map((nonce) => adversary.enrol(adversary.taskRoleArn, nonce)));
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401, 401]);
});
