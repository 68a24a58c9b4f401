import { expect, test } from 'vitest';
import { codeOf } from '../../lib/domain/id.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';
import { ProgramFailure } from '../support/simulated-attempt.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

const operation = (call: { request: { headers: Record<string, string | undefined> } }) =>
  call.request.headers['x-amz-target']?.split('.')[1];

test('a retry that is repeated after a crash is one task', async () => {
  stack.fleet.program = () => {
    throw new ProgramFailure('exit_1');
  };
  const task = await client.submit(agent.id, 'x', { maxAttempts: 1 });
  await client.ended(task.id);
  let runs = 0;
  stack.fleet.program = () => {
    runs += 1;
    return 'done';
  };
  // The process dies when record and live row are written; the client hears 500 and asks again, a little later.
  let puts = 0;
  stack.crash = (call) => {
    if (call.function !== 'api' || operation(call) !== 'PutItem') return undefined;
    puts += 1;
    return puts === 3 ? 'after' : undefined;
  };
  const headers = { 'idempotency-key': 'again' };
  const path = `/v1/tasks/${task.id}/retry`;
  expect(await stack.request('POST', path, undefined, headers)).toMatchObject({ status: 500 });
  stack.crash = undefined;
  await stack.advance(2);
  const again = await stack.request('POST', path, undefined, headers);
  expect(again).toMatchObject({ status: 202 });
  expect(await client.ended((again.body as { id: string }).id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  await stack.advance(60);
  expect(runs).toBe(1);
  expect(await client.agent(agent.id)).toMatchObject({ tasks: { queued: 0, running: 0 } });
});

test('a task is not kept waiting by many that may not start yet', async () => {
  const notBefore = new Date(stack.clock.now() + 30 * 86_400_000).toISOString();
  for (let i = 0; i < 520; i++) await client.submit(agent.id, i, { notBefore });
  await stack.advance(5);
  const task = await client.submit(agent.id, 'now');
  expect(await client.ended(task.id, 60)).toMatchObject({ status: 'succeeded' });
  await client.becomes(agent.id, 'paused', 200);

  // Nor do they cost anything until their time comes.
  await stack.advance(600);
  let looks = 0;
  stack.crash = (call) => {
    const { headers, body } = call.request;
    const isQuery = headers['x-amz-target']?.endsWith('.Query') ?? false;
    if (call.function === 'dispatch' && isQuery && Buffer.from(body).includes(`agent#${codeOf(agent.id)}`)) looks += 1;
    return undefined;
  };
  await stack.advance(3600);
  expect(looks).toBe(0);
}, 60_000);
