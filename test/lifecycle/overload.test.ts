import { expect, test } from 'vitest';
import { type Fault, type FaultRule, throttled } from '../../local/faults.ts';
import type { AgentResource } from '../support/client.ts';
import { client, freshStack, stack } from '../support/fresh-stack.ts';

let agent: AgentResource;

freshStack(async () => {
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
  agent = await client.createAgent('echo');
});

/** Submits while AWS goes wrong, and again when it does not any more. */
async function submitDuring(rule: FaultRule) {
  const submit = () =>
    stack.request('POST', `/v1/agents/${agent.id}/tasks`, { input: 'x' }, { 'idempotency-key': 'one' });
  const mend = stack.aws.faults.add(rule);
  const asked = submit();
  // The SDK repeats its call three times.
  await stack.advance(30);
  const refused = await asked;
  mend();
  return { refused, accepted: await submit() };
}

const isOfApi = (principal: string | undefined) => principal?.endsWith('/api') ?? false;
const error = (code: string, status: number): Fault => ({ kind: 'error', code, status });

test.each<[string, Fault]>([
  ['throttles', throttled()],
  ['is over the throughput of a table', error('ProvisionedThroughputExceededException', 400)],
  ['fails', error('InternalServerError', 500)],
  ['breaks the connection', { kind: 'drop' }],
])('when DynamoDB %s, a caller is asked to come again, and loses nothing', async (_, fault) => {
  const { refused, accepted } = await submitDuring(({ service, principal }) =>
    service === 'dynamodb' && isOfApi(principal) ? fault : undefined,
  );
  expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' }, headers: { 'retry-after': '1' } });
  expect(refused.body.detail).not.toMatch(/dynamo|exception/i);
  expect(accepted.status).toBe(202);
  expect(await client.ended(accepted.body.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
});
