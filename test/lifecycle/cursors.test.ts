import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { freshStack, stack } from '../support/fresh-stack.ts';

freshStack(async () => {
  await new Client(stack).putTemplate('echo');
});

interface Page {
  items: { seq: number }[];
  nextCursor: string;
}

const read = (query: string) => stack.call<Page>('GET', `/v1/events?${query}`);

test("a feed goes on after its own cursor, and refuses another's", async () => {
  const client = new Client(stack);
  const [one, other] = [await client.createAgent('echo'), await client.createAgent('echo')];
  await stack.advance(1);
  const first = await read(`agentId=${one.id}`);
  expect(first.items).toHaveLength(1);
  const task = await client.submit(one.id, 'x');
  await client.ended(task.id);
  const rest = await read(`agentId=${one.id}&after=${first.nextCursor}`);
  expect(rest.items[0]?.seq).toBe(2);

  for (const query of [`agentId=${other.id}`, 'limit=10']) {
    const refused = await stack.request('GET', `/v1/events?${query}&after=${first.nextCursor}`);
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid', issues: [{ path: 'after' }] } });
  }
});

test('a feed without anything yet has a cursor that works later', async () => {
  const client = new Client(stack);
  const agent = await client.createAgent('echo');
  const lines = await stack.call<Page>('GET', `/v1/agents/${agent.id}/logs`);
  expect(lines.items).toEqual([]);
  expect((await stack.call<Page>('GET', `/v1/agents/${agent.id}/logs?after=${lines.nextCursor}`)).items).toEqual([]);
});
