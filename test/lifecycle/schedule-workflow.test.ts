import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ScheduleClient } from '../support/schedule-client.ts';
import { TestStack } from '../support/stack.ts';

/** Schedules of workflows: what is said of tasks holds for runs. */

let stack: TestStack;
let client: Client;
let schedules: ScheduleClient;
let agentId: string;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new Client(stack);
  schedules = new ScheduleClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
  agentId = (await client.createAgent('echo')).id;
  await stack.call('PUT', '/v1/workflows/double', {
    steps: [{ id: 'work', agent: agentId, input: '{% $run.input %}' }],
    output: '{% $steps.work.output %}',
  });
});

afterAll(() => stack.close());

test('each fire starts a run, hears of its end, and hands its output to the next', async () => {
  stack.fleet.program = ({ input }) => ({ seen: input });
  const input = { at: '{% $fire.scheduledTime %}', last: '{% $fire.lastOutput.seen.at ?? null %}' };
  const target = { workflow: 'double', input };
  await schedules.put('runs', { expression: 'rate(1 minute)', target });
  await stack.advance(125);
  await schedules.untilEnded('runs', 2);
  const [first, second] = await schedules.fires('runs');
  expect(first).toMatchObject({ outcome: 'started', taskId: null, result: { status: 'succeeded' } });
  expect(await stack.call('GET', `/v1/runs/${second!.runId}`)).toMatchObject({
    workflow: 'double',
    status: 'succeeded',
    input: { at: second!.scheduledTime, last: first!.scheduledTime },
    parent: { schedule: 'runs', scheduledTime: second!.scheduledTime },
  });
  await schedules.remove('runs');
});

test('terminate_other ends the run before, and kills what runs of it', async () => {
  stack.fleet.program = () => new Promise(() => {});
  const target = { workflow: 'double', input: 'x' };
  await schedules.put('pushy', { expression: 'rate(1 minute)', overlap: 'terminate_other', target });
  await stack.advance(150);
  const [first, second] = await schedules.fires('pushy');
  expect(first).toMatchObject({ outcome: 'started', result: { status: 'cancelled' } });
  expect(second).toMatchObject({ outcome: 'started', result: null });
  expect(stack.fleet.newest.killed).toHaveLength(1);
  await schedules.remove('pushy');
});

test('a workflow that is not there is refused', async () => {
  const body = { expression: 'rate(1 minute)', target: { workflow: 'nothing' } };
  expect(await stack.request('PUT', '/v1/schedules/none', body)).toMatchObject({
    status: 422,
    body: { issues: [{ path: 'target.workflow' }] },
  });
});
