import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ProgramFailure } from '../support/simulated-attempt.ts';

import { TestStack } from '../support/stack.ts';
import { type RunResource, statuses, WorkflowClient } from '../support/workflow-client.ts';

/** One stack for all: each test has workflows and runs of its own. */
let stack: TestStack;
let client: WorkflowClient;
let agent: string;

const never = () => new Promise<never>(() => {});

beforeAll(async () => {
  stack = await TestStack.start();
  client = new WorkflowClient(stack);
  await client.putTemplate('echo', { idleTimeoutSeconds: 600, task: { retry: { initialSeconds: 0 } } });
  agent = (await client.createAgent('echo')).id;
});

afterAll(() => stack.close());

beforeEach(() => {
  stack.fleet.program = (task) => `${String(task.input)}!`;
});

const cancel = (run: RunResource, status = 202) => stack.call('POST', `/v1/runs/${run.id}/cancel`, undefined, status);

describe('a template step', () => {
  test('runs on a fresh agent, which is terminated afterwards', async () => {
    const run = await client.outcome([{ id: 'fresh', template: 'echo', input: 'x' }]);
    expect(run).toMatchObject({ status: 'succeeded', output: 'x!' });
    await client.becomes(run.steps.fresh!.agentId!, 'terminated', 300);
  });

  test('has a fresh agent for each item', async () => {
    const seen = new Set<string>();
    stack.fleet.program = (task, shim) => {
      seen.add(shim.agentId);
      return task.input;
    };
    const run = await client.outcome([{ id: 'each', template: 'echo', forEach: [1, 2, 3] }]);
    expect(run.output).toEqual([1, 2, 3]);
    expect(seen.size).toBe(3);
    for (const id of seen) await client.becomes(id, 'terminated', 300);
  });

  test('that is cancelled leaves no agent behind', async () => {
    stack.fleet.program = never;
    await client.putWorkflow('fresh', [{ id: 'slow', template: 'echo', input: 'x' }]);
    const started = await client.startRun('fresh');
    const run = await client.stepBecomes(started.id, 'slow', 'running');
    await client.reaches(run.steps.slow!.taskIds[0]!, 'running');
    await cancel(run);
    expect(statuses(await client.runEnded(run.id))).toEqual({ slow: 'cancelled' });
    await client.becomes(run.steps.slow!.agentId!, 'terminated', 300);
  });

  test('of a template that is not there fails with a sentence', async () => {
    const run = await client.outcome([{ id: 'fresh', template: 'nothing', input: 'x' }]);
    expect(run.error?.message).toContain('there is no template with this name');
  });
});

describe('an agent step', () => {
  test('on an agent that is terminated fails with a sentence', async () => {
    const gone = (await client.createAgent('echo')).id;
    await stack.call('DELETE', `/v1/agents/${gone}`, undefined, 202);
    const run = await client.outcome([{ id: 'ask', agent: gone, input: 'x' }]);
    expect(run.error).toMatchObject({ code: 'agent_terminated', step: 'ask' });
    expect(run.error?.message).toContain(`The agent "${gone}" is terminated.`);
  });

  test('is tried again as often as it says, and tells why it failed', async () => {
    let tries = 0;
    stack.fleet.program = () => {
      tries += 1;
      if (tries < 3) throw new ProgramFailure('exit_1', 'not yet');
      return 'done';
    };
    const run = await client.outcome([{ id: 'ask', agent, input: 'x', maxAttempts: 3 }]);
    expect(run.output).toBe('done');
    tries = 0;
    const failed = await client.outcome([{ id: 'ask', agent, input: 'x', maxAttempts: 2 }]);
    expect(failed.error).toEqual({ code: 'exit_1', step: 'ask', message: 'The step "ask" failed: not yet' });
  });

  test('whose task somebody cancels has failed', async () => {
    stack.fleet.program = never;
    await client.putWorkflow('slow', [{ id: 'ask', agent, input: 'x' }]);
    const run = await client.stepBecomes((await client.startRun('slow')).id, 'ask', 'running');
    const [task] = run.steps.ask!.taskIds;
    await client.reaches(task!, 'running');
    await stack.call('POST', `/v1/tasks/${task}/cancel`, undefined, 202);
    expect(await client.runEnded(run.id)).toMatchObject({ status: 'failed', error: { code: 'cancelled' } });
  });

  test('carries its run in its task', async () => {
    const run = await client.outcome([{ id: 'ask', agent, input: 'x' }]);
    expect(await client.task(run.steps.ask!.taskIds[0]!)).toMatchObject({ parent: { runId: run.id, step: 'ask' } });
  });
});

describe('a failed step', () => {
  const steps = () => [
    { id: 'bad', agent, input: 'bad', maxAttempts: 1 },
    { id: 'beside', agent, input: 'ok' },
    { id: 'after', agent, needs: ['bad'], input: '{% $steps.bad.error.code %}' },
  ];
  beforeEach(() => {
    stack.fleet.program = (task) => {
      if (task.input === 'bad') throw new ProgramFailure('exit_9');
      return task.input;
    };
  });

  test('ends the run, under onFailure: fail', async () => {
    const run = await client.outcome(steps());
    expect(run).toMatchObject({ status: 'failed', error: { code: 'exit_9', step: 'bad' } });
    expect(statuses(run)).toMatchObject({ bad: 'failed', after: 'cancelled' });
  });

  test('is gone on from without its output, under onFailure: continue', async () => {
    const run = await client.outcome(steps(), null, { onFailure: 'continue', output: '{% $steps.after.output %}' });
    expect(run).toMatchObject({ status: 'succeeded', output: 'exit_9' });
    expect(statuses(run)).toEqual({ bad: 'failed', beside: 'succeeded', after: 'succeeded' });
  });

  test('may have an onFailure of its own', async () => {
    const [bad, ...others] = steps();
    const run = await client.outcome([{ ...bad, onFailure: 'continue' }, ...others]);
    expect(run.status).toBe('succeeded');
  });

  test('whose expression fails names the step and the expression', async () => {
    const run = await client.outcome([{ id: 'ask', agent, input: { url: '{% $run.input.url %}' } }], {});
    expect(run.error).toMatchObject({ code: 'expression_failed', step: 'ask' });
    expect(run.error?.message).toContain('The expression {% $run.input.url %} in steps.ask.input.url failed');
  });
});

describe('a sub-workflow', () => {
  test('runs as a part, with the input of its step, and gives its output', async () => {
    await client.putWorkflow('part', [{ id: 'one', agent, input: "{% 'part ' & $run.input %}" }]);
    const run = await client.outcome([
      { id: 'sub', workflow: 'part', input: 'a' },
      { id: 'last', agent, needs: ['sub'], input: '{% $steps.sub.output %}' },
    ]);
    expect(run.output).toBe('part a!!');
    const [child] = run.steps.sub!.runIds;
    expect(await client.run(child!)).toMatchObject({ status: 'succeeded', parent: { runId: run.id, step: 'sub' } });
  });

  test('runs once for each item', async () => {
    await client.putWorkflow('part', [{ id: 'one', agent }]);
    const run = await client.outcome([{ id: 'sub', workflow: 'part', forEach: ['a', 'b'] }]);
    expect(run.output).toEqual(['a!', 'b!']);
  });

  test('that fails fails its step', async () => {
    stack.fleet.program = () => {
      throw new ProgramFailure('exit_4', 'no');
    };
    await client.putWorkflow('part', [{ id: 'one', agent, maxAttempts: 1 }]);
    const run = await client.outcome([{ id: 'sub', workflow: 'part' }]);
    expect(run.error?.message).toBe('The step "sub" failed: The step "one" failed: no');
  });

  test('is cancelled with its run, and before it', async () => {
    stack.fleet.program = never;
    await client.putWorkflow('part', [{ id: 'one', agent, input: 'x' }]);
    await client.putWorkflow('whole', [{ id: 'sub', workflow: 'part' }]);
    const run = await client.stepBecomes((await client.startRun('whole')).id, 'sub', 'running');
    const child = await client.stepBecomes(run.steps.sub!.runIds[0]!, 'one', 'running');
    await client.reaches(child.steps.one!.taskIds[0]!, 'running');
    await cancel(run);
    expect((await client.runEnded(run.id)).status).toBe('cancelled');
    expect((await client.run(child.id)).status).toBe('cancelled');
    expect((await client.task(child.steps.one!.taskIds[0]!)).status).toBe('cancelled');
  });

  test('is one of as many as the first run may have on a level, shared out evenly', async () => {
    await client.putWorkflow('leaf', [{ id: 'one', agent }]);
    await client.putWorkflow('branch', [{ id: 'leaves', workflow: 'leaf', forEach: '{% [1..101] %}' }]);
    const trunk = [{ id: 'branches', workflow: 'branch', forEach: '{% [1..100] %}', maxConcurrency: 1 }];
    await client.putWorkflow('trunk', trunk);
    const run = await client.runEnded((await client.startRun('trunk')).id);
    expect(run.error?.message).toContain('101 sub-runs of "leaf" are too many');
    expect(run.error?.message).toContain('100 are left for the step "leaves" of "branch".');
  });

  test('within itself ends at a limit', async () => {
    await client.putWorkflow('endless', [{ id: 'again', workflow: 'endless' }]);
    const run = await client.runEnded((await client.startRun('endless')).id);
    expect(run.error?.message).toContain('would be 9 workflows deep; at most 8 are allowed.');
  });
});

describe('a run', () => {
  test('that is cancelled in the middle is cancelled when nothing of it runs any more', async () => {
    stack.fleet.program = (task) => (task.input === 'fast' ? 'done' : never());
    await client.putWorkflow('middle', [
      { id: 'first', agent, input: 'fast' },
      { id: 'slow', agent, needs: ['first'], input: 'slow' },
      { id: 'last', agent, needs: ['slow'], input: 'never' },
    ]);
    const run = await client.stepBecomes((await client.startRun('middle')).id, 'slow', 'running');
    const [task] = run.steps.slow!.taskIds;
    await client.reaches(task!, 'running');
    await cancel(run);
    const ended = await client.runEnded(run.id);
    expect(statuses(ended)).toEqual({ first: 'succeeded', slow: 'cancelled', last: 'cancelled' });
    expect((await client.task(task!)).status).toBe('cancelled');
    expect(await cancel(run)).toMatchObject({ status: 'cancelled' });
  });

  test('says what it runs, and what it waits for', async () => {
    stack.fleet.program = never;
    await client.putWorkflow('two', [
      { id: 'long', agent, input: 'x' },
      { id: 'ask', approval: { prompt: 'go?' } },
      { id: 'last', needs: ['ask'], agent, input: 'x' },
    ]);
    const run = await client.startRun('two');
    const { id } = run;
    await client.stepBecomes(id, 'ask', 'waiting');
    const reason = async () => (await stack.call<RunResource>('GET', `/v1/runs/${id}`)).statusReason;
    expect(await reason()).toBe('runs long, waits for an answer to ask');
    await stack.call('POST', `/v1/runs/${id}/steps/ask/approve`, {}, 202);
    await client.stepBecomes(id, 'last', 'running');
    expect(await reason()).toBe('runs long, last');
    await cancel(run);
    await client.runEnded(id);
    expect(await reason()).toBeNull();
  });

  test('that takes too long is timed out, and what runs of it is ended', async () => {
    stack.fleet.program = never;
    const run = await client.outcome([{ id: 'slow', agent, input: 'x' }], null, { timeoutSeconds: 60 });
    expect(run).toMatchObject({ status: 'timed_out', error: { message: 'The run was not done within 60 s.' } });
    expect((await client.task(run.steps.slow!.taskIds[0]!)).status).toBe('cancelled');
  });

  test('keeps the version that it started with', async () => {
    await client.putWorkflow('changing', [
      { id: 'ask', approval: { prompt: 'go?' } },
      { id: 'then', agent, needs: ['ask'], input: 'first version' },
    ]);
    const run = await client.stepBecomes((await client.startRun('changing')).id, 'ask', 'waiting');
    await client.putWorkflow('changing', [{ id: 'ask', agent, input: 'second version' }]);
    await stack.call('DELETE', '/v1/workflows/changing', undefined, 204);
    await stack.call('POST', `/v1/runs/${run.id}/steps/ask/approve`, {}, 202);
    expect(await client.runEnded(run.id)).toMatchObject({ version: 1, output: 'first version!' });
  });

  test('is started once for an Idempotency-Key', async () => {
    await client.putWorkflow('once', [{ id: 'ask', agent, input: 'x' }]);
    const start = () => stack.request('POST', '/v1/workflows/once/runs', { input: 1 }, { 'idempotency-key': 'k1' });
    const [first, second] = [await start(), await start()];
    expect(second.body.id).toBe(first.body.id);
    expect(second.headers['idempotency-replayed']).toBe('true');
  });

  test('is listed by its workflow and status', async () => {
    await client.putWorkflow('listed', [{ id: 'ask', approval: { prompt: 'go?' } }]);
    const run = await client.startRun('listed');
    const list = (query: string) => stack.call<{ items: { id: string }[] }>('GET', `/v1/runs?${query}`);
    expect((await list('workflow=listed')).items.map(({ id }) => id)).toEqual([run.id]);
    expect((await list('workflow=listed&status=succeeded')).items).toEqual([]);
    await cancel(run);
    await client.runEnded(run.id);
    expect((await list('workflow=listed&status=cancelled&status=failed')).items).toHaveLength(1);
  });

  test('is waited for', async () => {
    await client.putWorkflow('waited', [{ id: 'ask', agent, input: 'x' }]);
    const run = await client.startRun('waited');
    const waiting = stack.call<RunResource>('GET', `/v1/runs/${run.id}?waitSeconds=20`);
    await stack.advance(20);
    expect((await waiting).status).toBe('succeeded');
  });
});

describe('a rerun', () => {
  test('from a step keeps what was done before it', async () => {
    let healthy = false;
    const asked: unknown[] = [];
    stack.fleet.program = (task) => {
      asked.push(task.input);
      if (task.input === 'b' && !healthy) throw new ProgramFailure('exit_1');
      return `${String(task.input)}!`;
    };
    const failed = await client.outcome([
      { id: 'first', agent, input: 'a' },
      { id: 'second', agent, needs: ['first'], input: 'b', maxAttempts: 1 },
      { id: 'third', agent, needs: ['second'], input: '{% $steps.first.output & $steps.second.output %}' },
    ]);
    expect(failed.status).toBe('failed');
    healthy = true;
    const again = await stack.call<RunResource>('POST', `/v1/runs/${failed.id}/rerun`, { fromStep: 'second' }, 202);
    const run = await client.runEnded(again.id);
    expect(run).toMatchObject({ status: 'succeeded', output: 'a!b!!', rerunOf: failed.id });
    expect(run.steps.first).toMatchObject({ copiedFrom: failed.id, taskIds: failed.steps.first?.taskIds });
    expect(asked.filter((input) => input === 'a')).toHaveLength(1);
  });

  test('of all does everything again, with the same input', async () => {
    const first = await client.outcome([{ id: 'ask', agent, input: '{% $run.input.n %}' }], { n: 7 });
    const again = await stack.call<RunResource>('POST', `/v1/runs/${first.id}/rerun`, {}, 202);
    const run = await client.runEnded(again.id);
    expect(run.output).toBe('7!');
    expect(run.steps.ask?.taskIds).not.toEqual(first.steps.ask?.taskIds);
  });

  test('of what still runs, or from a step that is not there, is refused', async () => {
    await client.putWorkflow('open', [{ id: 'ask', approval: { prompt: 'go?' } }]);
    const run = await client.startRun('open');
    await stack.call('POST', `/v1/runs/${run.id}/rerun`, {}, 409);
    await cancel(run);
    await client.runEnded(run.id);
    await stack.call('POST', `/v1/runs/${run.id}/rerun`, { fromStep: 'nothing' }, 422);
  });
});
