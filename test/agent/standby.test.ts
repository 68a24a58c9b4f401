import { beforeEach, expect, test } from 'vitest';
import { agentId, type Cloud, problem } from './support/cloud.ts';
import { startCloud, startShim } from './support/shim.ts';

let cloud: Cloud;
/** What the API answers to a standby that enrols: that it still is one, or the enrolment for an agent. */
let isTaken = false;

beforeEach(async () => {
  cloud = await startCloud();
  isTaken = false;
  cloud.config.driver = { type: 'command', command: ['sh', '-c', 'echo "$ROUSE_AGENT_ID"'] };
  cloud.override('enroll', () => (isTaken ? null : { status: 200, body: cloud.standby() }));
});

const standBy = () => startShim(cloud, { env: { ROUSE_AGENT_ID: '' } });

test('a standby enrols without an agent, and does nothing but wait', async () => {
  const shim = standBy();
  expect(await cloud.called('enroll')).not.toHaveProperty('agentId');
  shim.terminate();
  expect(await shim.exit).toEqual({ code: 0, why: 'signal before enrolment' });
  expect(cloud.calls.map(({ route }) => route)).toEqual(['enroll']);
});

test('a ring makes it enrol again with its nonce, and it works for the agent that has taken it over', async () => {
  standBy();
  await cloud.called('enroll');
  isTaken = true;
  cloud.submit('tsk_1');
  cloud.ring();
  expect(await cloud.called('tasks/tsk_1/complete')).toMatchObject({ output: `${agentId}\n` });
  const [first, second, ...more] = cloud.calls.filter(({ route }) => route === 'enroll');
  expect(second?.body.nonce).toBe(first?.body.nonce);
  expect(more).toEqual([]);
});

test('it goes on hearing its bell when it has been taken over: no ring is lost to a poll that was given up', async () => {
  standBy();
  await cloud.called('enroll');
  isTaken = true;
  cloud.submit('tsk_1');
  cloud.ring();
  await cloud.called('tasks/tsk_1/complete');
  for (const id of ['tsk_2', 'tsk_3']) {
    cloud.submit(id);
    cloud.ring();
    await cloud.called(`tasks/${id}/complete`);
  }
}, 15_000);

test('one that is no longer wanted ends with 0', async () => {
  const shim = standBy();
  await cloud.called('enroll');
  cloud.override('enroll', () => problem(409, 'runtime_replaced'));
  cloud.ring();
  expect(await shim.exit).toMatchObject({ code: 0 });
});
