import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

const never = () => new Promise(() => {});

test('new settings of a running agent do not make its runtime suspicious', async () => {
  stack.fleet.program = never;
  const task = await client.submit(agent.id, 'long');
  await client.reaches(task.id, 'running');
  await stack.call('PATCH', `/v1/agents/${agent.id}`, { overrides: { concurrency: 5 } });
  await client.submit(agent.id, 'next');
  await stack.advance(600);
  expect(await client.task(task.id)).toMatchObject({ status: 'running', attempt: 1 });
  expect(stack.fleet.shims).toHaveLength(1);
});

test('a pause after a resume is a pause, also while the agent is stopping', async () => {
  await stack.call('POST', `/v1/agents/${agent.id}/resume`, undefined, 202);
  await client.becomes(agent.id, 'running');
  stack.fleet.newest.mute = true;
  for (const verb of ['pause', 'resume', 'pause']) await stack.call('POST', `/v1/agents/${agent.id}/${verb}`, {}, 202);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'stopping' });
  await client.becomes(agent.id, 'paused', 600);
  await stack.advance(300);
  expect(await client.agent(agent.id)).toMatchObject({ status: 'paused' });
  expect(stack.fleet.shims).toHaveLength(1);
});

test('overrides that contradict the template are refused, though each is allowed by itself', async () => {
  const secrets = { TOKEN: 'arn:aws:ssm:eu-central-1:000000000000:parameter/rouse-agent/token' };
  await client.putTemplate('secret', { secrets, task: { retry: { initialSeconds: 10 } } });
  const attempts: [object, string][] = [
    [{ env: { TOKEN: 'x' } }, 'overrides.env.TOKEN'],
    [{ task: { retry: { maxSeconds: 5 } } }, 'overrides.task.retry.maxSeconds'],
  ];
  const sound = await client.createAgent('secret', { overrides: { task: { retry: { maxSeconds: 20 } } } });
  for (const [overrides, path] of attempts) {
    const answers = [
      await stack.request('POST', '/v1/agents', { template: 'secret', overrides }),
      await stack.request('PATCH', `/v1/agents/${sound.id}`, { overrides }),
    ];
    for (const answer of answers)
      expect(answer).toMatchObject({ status: 422, body: { code: 'invalid', issues: [{ path }] } });
  }
});
