import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import { TestStack } from '../support/stack.ts';
import { type RunResource, statuses, WorkflowClient } from '../support/workflow-client.ts';

/** Definitions, outputs and clients that mean no good, or only look like it. Each run comes to its end all the same. */

let stack: TestStack;
let client: WorkflowClient;
let agent: string;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new WorkflowClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600, concurrency: 50, task: { maxAttempts: 1 } });
  agent = (await client.createAgent('echo')).id;
});

afterAll(() => stack.close());

beforeEach(() => {
  stack.fleet.program = (task) => task.input;
});

test('a step may be called like what every JavaScript object has', async () => {
  const steps = [
    { id: 'toString', agent, input: 'a' },
    { id: 'constructor', needs: ['toString'], agent, input: '{% $steps.toString.output & "b" %}' },
    { id: 'last', needs: ['constructor'], agent, input: '{% $steps.constructor.output & "c" %}' },
  ];
  const run = await client.outcome(steps);
  expect(run.output).toBe('abc');
  const again = await stack.call<RunResource>('POST', `/v1/runs/${run.id}/rerun`, { fromStep: 'toString' }, 202);
  expect((await client.runEnded(again.id)).steps.constructor).toMatchObject({ output: 'ab', copiedFrom: null });
});

test('errors as long as an agent may tell them end a run like any other', async () => {
  stack.fleet.program = () => {
    throw new ProgramFailure('exit_1', 'ü'.repeat(16_384));
  };
  const steps = Array.from({ length: 30 }, (_, i) => ({ id: `s${i}`, agent, input: 'x' }));
  const run = await client.outcome(steps, null, { onFailure: 'continue' });
  expect(run.status).toBe('succeeded');
  expect(run.steps.s29?.error?.message).toMatch(/^ü+…$/);
});

test('an approval asks no more than a page', async () => {
  const run = await client.outcome([{ id: 'ask', approval: { prompt: '{% $pad("x", 90000) %}' } }]);
  expect(run).toMatchObject({ status: 'failed', error: { step: 'ask' } });
  expect(run.error?.message).toContain('at most 1000 are allowed');
});

test('an agent that an expression makes up fails the step', async () => {
  const run = await client.outcome([{ id: 'ask', agent: '{% "agt_" & $pad("x", 5000) %}', input: 'x' }]);
  expect(run.error).toMatchObject({ code: 'invalid', step: 'ask' });
});

test('an approval that is refused because it came second changes nothing of the first', async () => {
  await client.putWorkflow('asks', [
    { id: 'ask', approval: { prompt: 'Publish?' } },
    { id: 'other', approval: { prompt: 'And this?' } },
  ]);
  const run = await client.stepBecomes((await client.startRun('asks')).id, 'ask', 'waiting');
  const first = { comment: 'first', output: 'a'.repeat(3000) };
  await stack.call('POST', `/v1/runs/${run.id}/steps/ask/approve`, first, 202);
  const second = { comment: 'second', output: 'b'.repeat(3000) };
  await stack.call('POST', `/v1/runs/${run.id}/steps/ask/approve`, second, 409);
  expect((await client.run(run.id)).steps.ask?.output).toMatchObject({ approved: true, ...first });
  // Who did not hear the answer asks again.
  await stack.call('POST', `/v1/runs/${run.id}/steps/ask/approve`, first, 202);
});

test('a rerun of a rerun still knows the tasks of the first run', async () => {
  const steps = [
    { id: 'each', agent, forEach: [1, 2] },
    { id: 'sum', needs: ['each'], agent, input: '{% $sum($steps.each.output) %}' },
  ];
  const first = await client.outcome(steps);
  let run = first;
  for (let i = 0; i < 2; i++) {
    const again = await stack.call<RunResource>('POST', `/v1/runs/${run.id}/rerun`, { fromStep: 'sum' }, 202);
    run = await client.runEnded(again.id);
  }
  expect(statuses(run)).toEqual({ each: 'succeeded', sum: 'succeeded' });
  expect(run.steps.each).toMatchObject({ taskIds: first.steps.each?.taskIds, copiedFrom: first.id });
});

test("a definition whose put died half way is in nobody's way", async () => {
  const steps = (input: string) => [{ id: 'only', agent, input }];
  await client.putWorkflow('half', steps('one'));
  let puts = 0;
  stack.crash = ({ function: name, request }) => {
    const isPut = name === 'api' && request.headers['x-amz-target']?.endsWith('PutItem');
    return isPut && ++puts === 2 ? 'before' : undefined;
  };
  expect(await stack.request('PUT', '/v1/workflows/half', { steps: steps('two') })).toMatchObject({ status: 500 });
  stack.crash = undefined;
  expect(await client.putWorkflow('half', steps('three'))).toMatchObject({ version: 3 });
});
