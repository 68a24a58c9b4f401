import { expect, test } from 'vitest';
import { codeOf } from '../../lib/domain/id.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

test('a launch queue that stands still for twenty minutes loses nothing and starts nothing twice', async () => {
  const resume = stack.aws.faults.add(({ operation }) =>
    operation === 'RunTask' ? { kind: 'error', code: 'ThrottlingException', status: 400 } : undefined,
  );
  const task = await client.submit(agent.id, 'x');
  await stack.advance(1200);
  expect(await client.agent(agent.id)).toMatchObject({ statusReason: expect.any(String) });
  resume();
  await client.reaches(task.id, 'succeeded', 600);
  expect(stack.fleet.shims).toHaveLength(1);
  await client.becomes(agent.id, 'paused', 300);
  await stack.advance(1200);
  expect(await stack.bells()).toEqual([]);
  expect(stack.fleet.living).toEqual([]);
}, 60_000);

test('a terminated agent that was starting leaves nothing', async () => {
  stack.fleet.onStart = () => false;
  const task = await client.submit(agent.id, 'x');
  await stack.advance(10);
  await stack.call('DELETE', `/v1/agents/${agent.id}`, undefined, 202);
  await client.reaches(task.id, 'cancelled', 60);
  // Its last look comes when no credentials of it can live any more.
  await stack.advance(70 * 60);
  expect(await stack.bells()).toEqual([]);
  expect(stack.fleet.living).toEqual([]);
  let looks = 0;
  stack.crash = (call) => {
    const isLook = call.function === 'dispatch' && Buffer.from(call.request.body).includes(`agent#${codeOf(agent.id)}`);
    if (isLook) looks += 1;
    return undefined;
  };
  await stack.advance(1200);
  expect(looks).toBe(0);
});
