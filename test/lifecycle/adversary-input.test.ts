import { expect, test } from 'vitest';
import { encodeCursor } from '../../lib/http/schemas/page.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

const positions = [
  '',
  'x',
  '\u0000',
  '\uffff',
  'x'.repeat(1500),
  'NaN',
  '|',
  ':',
  '-1',
  '99999999999999999999',
  '😀:1',
  '!:1',
];

test('no cursor, whoever made it up, is an internal error', async () => {
  const task = await client.submit(agent.id, 'x');
  await client.ended(task.id);
  await stack.advance(5);
  const lists = ['/v1/agents', '/v1/tasks', '/v1/tasks?status=queued', '/v1/templates', `/v1/agents/${agent.id}/tasks`];
  const pages = [...lists, `/v1/agents/${agent.id}/generations`].flatMap((path) =>
    [...positions, 5].map((before) => [path, 'cursor', { before }] as const),
  );
  const feeds = ['/v1/events', `/v1/events?agentId=${agent.id}`, `/v1/agents/${agent.id}/logs`].flatMap((path) =>
    [...positions, 5].map((after) => [path, 'after', { after }] as const),
  );
  const failures: string[] = [];
  for (const [path, name, cursor] of [...pages, ...feeds, ...lists.map((path) => [path, 'cursor', {}] as const)]) {
    const url = `${path}${path.includes('?') ? '&' : '?'}${name}=${encodeCursor(cursor)}`;
    const { status } = await stack.request('GET', url);
    if (status >= 500) failures.push(`${path} ${JSON.stringify(cursor).slice(0, 40)}: ${status}`);
  }
  expect(failures).toEqual([]);
});
