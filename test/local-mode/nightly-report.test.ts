import { expect, test } from 'vitest';
import { fireNow, plan } from '../../examples/nightly-report/main.ts';
import { Rouse } from '../../examples/stack.ts';
import { sharedStack } from '../e2e/support/shared-stack.ts';

let rouse: Rouse;

sharedStack(async (client) => {
  rouse = new Rouse(client);
});

test('each report has the history of the first agent, and knows what the last one said', async () => {
  const nextFires = await plan(rouse, 'report');
  expect(nextFires).toHaveLength(5);
  const first = await fireNow(rouse, 'report');
  expect(first).toMatchObject({ nights: 1, report: expect.stringContaining('the first report') });
  const second = await fireNow(rouse, 'report');
  expect(second).toMatchObject({ nights: 2, report: expect.stringMatching(/[+-]\d+ since the last one/) });
}, 60_000);
