import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import { TestStack } from '../support/stack.ts';
import { statuses, WorkflowClient } from '../support/workflow-client.ts';

/** One stack for all patterns: each test has workflows and runs of its own. */
let stack: TestStack;
let client: WorkflowClient;
let agent: string;

const shout = (text: unknown) => `${String(text)}!`;

beforeAll(async () => {
  stack = await TestStack.start();
  client = new WorkflowClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600 });
  agent = (await client.createAgent('echo')).id;
});

afterAll(() => stack.close());

beforeEach(() => {
  stack.fleet.program = (task) => shout(task.input);
});

describe('a chain', () => {
  test('passes the output of each step on to the next', async () => {
    const run = await client.outcome(
      [
        { id: 'one', agent, input: '{% $run.input.text %}' },
        { id: 'two', agent, needs: ['one'], input: "{% $steps.one.output & ' and again' %}" },
      ],
      { text: 'hello' },
    );
    expect(run).toMatchObject({ status: 'succeeded', output: 'hello! and again!', error: null });
    expect(run.steps.one).toMatchObject({ status: 'succeeded', output: 'hello!', agentId: agent });
    expect(run.steps.two?.taskIds).toHaveLength(1);
  });

  test('tells every step in its events, without a gap', async () => {
    const run = await client.outcome([
      { id: 'one', agent, input: 'a' },
      { id: 'two', agent, needs: ['one'], input: 'b' },
    ]);
    const events = await client.runEvents(run.id);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
    expect(events.map((event) => [event.type, event.data.step])).toEqual([
      ['workflow.run_started', undefined],
      ['workflow.step_started', 'one'],
      ['workflow.step_succeeded', 'one'],
      ['workflow.step_started', 'two'],
      ['workflow.step_succeeded', 'two'],
      ['workflow.run_succeeded', undefined],
    ]);
  });
});

describe('a fan-out', () => {
  test('runs what needs the same step at the same time, and joins it', async () => {
    const run = await client.outcome([
      { id: 'seed', agent, input: 'x' },
      { id: 'left', agent, needs: ['seed'], input: "{% 'l' & $steps.seed.output %}" },
      { id: 'right', agent, needs: ['seed'], input: "{% 'r' & $steps.seed.output %}" },
      { id: 'both', agent, needs: ['left', 'right'], input: '{% $steps.left.output & $steps.right.output %}' },
    ]);
    expect(run.output).toBe('lx!!rx!!!');
    expect(run.steps.left?.startedAt).toBe(run.steps.right?.startedAt);
  });

  test('gives the outputs of all last steps when there is no expression', async () => {
    const run = await client.outcome([
      { id: 'left', agent, input: 'l' },
      { id: 'right-side', agent, input: 'r' },
    ]);
    expect(run.output).toEqual({ left: 'l!', 'right-side': 'r!' });
  });
});

describe('a branch', () => {
  const branching = () => [
    { id: 'yes', agent, when: '{% $run.input.go %}', input: 'y' },
    { id: 'no', agent, when: '{% $not($run.input.go) %}', input: 'n' },
    { id: 'onlyYes', agent, needs: ['yes'], input: 'z' },
    { id: 'after', agent, needs: ['yes', 'no'], input: '{% [$steps.yes.output, $steps.no.output] %}' },
  ];

  test.each([
    [true, { yes: 'succeeded', no: 'skipped', onlyYes: 'succeeded', after: 'succeeded' }, '["y!",null]!'],
    [false, { yes: 'skipped', no: 'succeeded', onlyYes: 'skipped', after: 'succeeded' }, '[null,"n!"]!'],
  ])('with %s runs its one side, and what needs both runs with null of the other', async (go, expected, output) => {
    stack.fleet.program = (task) => shout(typeof task.input === 'string' ? task.input : JSON.stringify(task.input));
    const run = await client.outcome(branching(), { go }, { output: '{% $steps.after.output %}' });
    expect(statuses(run)).toEqual(expected);
    expect(run.output).toBe(output);
  });

  test('on what is neither true nor false fails with a sentence', async () => {
    const run = await client.outcome([{ id: 'a', agent, when: '{% 1 %}' }]);
    expect(run.error?.message).toContain('steps.a.when failed: it gave 1; true or false is allowed.');
  });
});

describe('a forEach step', () => {
  test('runs once for each item, and gives the outputs in their order', async () => {
    const run = await client.outcome(
      [
        { id: 'read', agent, forEach: '{% $run.input.pages %}', input: '{% $item & $string($index) %}' },
        { id: 'sum', agent, needs: ['read'], input: "{% $join($steps.read.output, ' ') %}" },
      ],
      { pages: ['a', 'b', 'c'] },
    );
    expect(run.output).toBe('a0! b1! c2!!');
    expect(run.steps.read).toMatchObject({
      output: ['a0!', 'b1!', 'c2!'],
      items: { total: 3, started: 3, succeeded: 3, failed: 0 },
    });
    expect(run.steps.read?.taskIds).toHaveLength(3);
  });

  test('without items is done at once, with an empty array', async () => {
    const run = await client.outcome([{ id: 'read', agent, forEach: '{% $run.input.none %}' }], {});
    expect(run).toMatchObject({ status: 'succeeded', output: [] });
  });

  test('over one value that is no array takes it for the only item, as JSONata does', async () => {
    const run = await client.outcome([{ id: 'read', agent, forEach: '{% $run.input.pages.url %}' }], {
      pages: [{ url: 'only' }],
    });
    expect(run.output).toEqual(['only!']);
  });

  test('chooses the agent of each item by an expression', async () => {
    const other = (await client.createAgent('echo')).id;
    stack.fleet.program = (_task, shim) => shim.agentId;
    const run = await client.outcome([{ id: 'ask', agent: '{% $item %}', forEach: [agent, other], input: 'who?' }]);
    expect(run.output).toEqual([agent, other]);
  });

  test('takes the run with it when an item fails, and asks the others to end', async () => {
    stack.fleet.program = (task) => {
      if (task.input === 'bad') throw new ProgramFailure('exit_3', 'It is bad.');
      return new Promise(() => {});
    };
    const run = await client.outcome([
      { id: 'read', agent, forEach: ['bad', 'slow', 'slow', 'slow'], maxConcurrency: 2, maxAttempts: 1 },
      { id: 'next', agent, needs: ['read'] },
    ]);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'exit_3', step: 'read' } });
    expect(run.error?.message).toBe('The step "read" failed: item 0: It is bad.');
    expect(statuses(run)).toEqual({ read: 'failed', next: 'cancelled' });
    expect(run.steps.read?.items).toEqual({ total: 4, started: 2, succeeded: 0, failed: 1 });
    expect((await client.task(run.steps.read!.taskIds[1]!)).status).toBe('cancelled');
  });

  test('gives null where an item failed, under onFailure: continue', async () => {
    stack.fleet.program = (task) => {
      if (task.input === 'bad') throw new ProgramFailure('exit_3');
      return shout(task.input);
    };
    const steps = [{ id: 'read', agent, forEach: ['a', 'bad', 'c'], maxAttempts: 1 }];
    const run = await client.outcome(steps, null, { onFailure: 'continue' });
    expect(run).toMatchObject({ status: 'succeeded', output: ['a!', null, 'c!'] });
    expect(run.steps.read).toMatchObject({ error: { code: 'exit_3' }, items: { succeeded: 2, failed: 1 } });
  });
});

describe('an approval', () => {
  const asking = (approval: Record<string, unknown> = {}) => [
    { id: 'check', approval: { prompt: "{% 'Publish ' & $run.input.title & '?' %}", ...approval } },
    { id: 'publish', agent, needs: ['check'], when: '{% $steps.check.output.approved %}', input: 'out' },
  ];
  const started = async (approval: Record<string, unknown> = {}) => {
    await client.putWorkflow('asking', asking(approval));
    const run = await client.startRun('asking', { title: 'this' });
    return client.stepBecomes(run.id, 'check', 'waiting');
  };
  const say = (run: { id: string }, verb: string, body = {}, status = 202) =>
    stack.call('POST', `/v1/runs/${run.id}/steps/check/${verb}`, body, status);

  test('goes on with a yes, and tells who said it', async () => {
    const run = await started();
    expect(run.steps.check).toMatchObject({ prompt: 'Publish this?' });
    await say(run, 'approve', { comment: 'fine', output: { by: 'noon' } });
    const ended = await client.runEnded(run.id);
    expect(statuses(ended)).toEqual({ check: 'succeeded', publish: 'succeeded' });
    expect(ended.steps.check?.output).toMatchObject({ approved: true, comment: 'fine', output: { by: 'noon' } });
  });

  test('skips what needs a yes after a no', async () => {
    const run = await started();
    await say(run, 'reject');
    expect(statuses(await client.runEnded(run.id))).toEqual({ check: 'succeeded', publish: 'skipped' });
  });

  test.each([
    ['reject', 'succeeded', { check: 'succeeded', publish: 'skipped' }],
    ['approve', 'succeeded', { check: 'succeeded', publish: 'succeeded' }],
    ['fail', 'failed', { check: 'failed', publish: 'cancelled' }],
  ])('that nobody answers in time is decided by onTimeout: %s', async (onTimeout, status, expected) => {
    const run = await started({ timeoutSeconds: 120, onTimeout });
    await stack.advance(115);
    expect((await client.run(run.id)).steps.check?.status).toBe('waiting');
    const ended = await client.runEnded(run.id, 10);
    expect(ended.status).toBe(status);
    expect(statuses(ended)).toEqual(expected);
  });

  test('runs nothing while it waits', async () => {
    await client.putWorkflow('waiting', [{ id: 'check', approval: { prompt: 'ok?' } }]);
    const before = stack.fleet.shims.length;
    const run = await client.startRun('waiting');
    await client.stepBecomes(run.id, 'check', 'waiting');
    await stack.advance(3600);
    expect((await client.run(run.id)).status).toBe('running');
    expect(stack.fleet.shims.length).toBe(before);
    await stack.call('POST', `/v1/runs/${run.id}/cancel`, undefined, 202);
    expect(await client.runEnded(run.id)).toMatchObject({ status: 'cancelled' });
  });

  test('is answered once', async () => {
    const run = await started();
    await say(run, 'approve');
    expect(await say(run, 'reject', {}, 409)).toMatchObject({ code: 'illegal_transition' });
  });
});

describe('a signal', () => {
  const waiting = (more: Record<string, unknown> = {}) => [
    { id: 'first', agent, input: 'x' },
    { id: 'hear', needs: ['first'], waitFor: 'ready', ...more },
    { id: 'last', agent, needs: ['hear'], input: '{% $steps.hear.output.text %}' },
  ];
  const signal = (id: string, body: unknown, status = 202) =>
    stack.call('POST', `/v1/runs/${id}/steps/hear/signal`, body, status);

  test('lets the step that waits for it go on, with what it brings', async () => {
    await client.putWorkflow('hearing', waiting());
    const run = await client.startRun('hearing');
    await client.stepBecomes(run.id, 'hear', 'waiting');
    expect(await signal(run.id, { name: 'other' }, 409)).toMatchObject({
      detail: 'Received the signal "other"; the step "hear" waits for "ready".',
    });
    await signal(run.id, { name: 'ready', body: { text: 'go' } });
    expect((await client.runEnded(run.id)).output).toBe('go!');
  });

  test('that comes before the step waits is kept', async () => {
    await client.putWorkflow('hearing', waiting());
    const run = await client.startRun('hearing');
    await signal(run.id, { name: 'ready', body: { text: 'early' } });
    expect((await client.runEnded(run.id)).output).toBe('early!');
  });

  test('that does not come gives the default, or fails the step', async () => {
    const given = await client.outcome(waiting({ timeoutSeconds: 30, default: { text: 'default' } }));
    expect(given.output).toBe('default!');
    const failed = await client.outcome(waiting({ timeoutSeconds: 30 }));
    expect(failed.error?.message).toBe('The step "hear" failed: The signal "ready" did not come within 30 s.');
  });
});
