import { expect, test } from 'vitest';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

/** JSON holds more than DynamoDB's own types do: large and tiny numbers, deep nesting, empty names. */
const oddities = {
  'a number beyond 2^53': 1e20,
  'a number beyond DynamoDB’s': { huge: 1e300, tiny: 1e-300 },
  'nesting of 40 levels': JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`),
  'an empty name': { '': { ' ': '' } },
  'a long string of control characters': '\u0001'.repeat(10_000),
};

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 60 });
  agent = await client.createAgent('echo');
});

test.each(Object.entries(oddities))('an input and an answer with %s', async (_, value) => {
  const path = `/v1/agents/${agent.id}/tasks`;
  const headers = { 'idempotency-key': 'once' };
  const body = {
    input: value,
    metadata: { ...(String(value).length < 1000 ? { value } : {}) },
    output: { type: 'json' },
  };
  const first = await stack.request('POST', path, body, headers);
  expect(first).toMatchObject({ status: 202 });
  const { id } = first.body as { id: string };
  expect(await stack.request('POST', path, body, headers)).toMatchObject({ status: 202, body: { id } });
  expect(await client.ended(id)).toMatchObject({ status: 'succeeded', input: value, output: value });
});
