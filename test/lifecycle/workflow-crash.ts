import { expect, test } from 'vitest';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { type RunResource, statuses, WorkflowClient } from '../support/workflow-client.ts';
import { type Aside, crashEverywhere } from './crash-everywhere.ts';

/** Within this time the run has ended, whatever happened. */
const boundSeconds = 300;

/** The functions that bring a run forward. */
const isOfRun = (call: FunctionCall) => ['dispatch', 'record', 'api'].includes(call.function);

/** A run: whichever call a function dies at, every step ends once, nothing runs twice, and no fresh agent is left. */
class Runs {
  private readonly stack: TestStack;
  private readonly client: WorkflowClient;
  private runs = 0;
  private asked: string[] = [];

  constructor(stack: TestStack) {
    this.stack = stack;
    this.client = new WorkflowClient(stack);
    stack.fleet.program = (task) => {
      this.asked.push(String(task.input));
      return `${String(task.input)}!`;
    };
  }

  async prepare(): Promise<void> {
    const { client } = this;
    await client.putTemplate('echo', { idleTimeoutSeconds: 86_400, maxLifetimeSeconds: 1_209_600 });
    const agent = (await client.createAgent('echo', { start: true })).id;
    await client.becomes(agent, 'running');
    await client.putWorkflow('part', [{ id: 'inner', agent }]);
    await client.putWorkflow('whole', [
      { id: 'first', agent, input: 'a' },
      { id: 'each', agent, needs: ['first'], forEach: ['x', 'y'], maxConcurrency: 1 },
      { id: 'sub', workflow: 'part', needs: ['first'], input: 'sub' },
      { id: 'last', agent, needs: ['each', 'sub'], input: '{% $join($steps.each.output) & $steps.sub.output %}' },
    ]);
  }

  async run(aside: Aside): Promise<void> {
    this.asked = [];
    const { id } = await this.insist(`run-${++this.runs}`);
    const read = () => aside(() => this.client.run(id));
    await this.stack.until(async () => (await read()).status !== 'running', boundSeconds, 'the end');
    const run = await read();
    this.stack.crash = undefined;
    expect(run).toMatchObject({ status: 'succeeded', output: 'x!y!sub!!' });
    const all = { first: 'succeeded', each: 'succeeded', sub: 'succeeded', last: 'succeeded' };
    expect(statuses(run)).toEqual(all);
    expect([...this.asked].sort()).toEqual(['a', 'sub', 'x', 'x!y!sub!', 'y']);
    await this.stack.advance(2);
    await this.expectOneEventEach(id);
  }

  /** A client that repeats what got no answer, with the same Idempotency-Key. */
  private async insist(key: string): Promise<RunResource> {
    for (let tries = 0; tries < 5; tries++) {
      const headers = { 'idempotency-key': key };
      const answer = await this.stack.request('POST', '/v1/workflows/whole/runs', { input: null }, headers);
      if (answer.status < 300) return answer.body as RunResource;
      expect(answer.status).toBe(500);
    }
    throw new Error('The run was never accepted.');
  }

  private async expectOneEventEach(id: string): Promise<void> {
    const isRecorded = async () =>
      (await this.client.runEvents(id)).some(({ type }) => type === 'workflow.run_succeeded');
    await this.stack.until(isRecorded, boundSeconds, 'the last event');
    const events = await this.client.runEvents(id);
    const own = events.filter((event) => event.taskId === null);
    expect(own.map((event) => event.seq)).toEqual(own.map((_, i) => i + 1));
    const told = own.map(({ type, data }) => `${type} ${data.step ?? ''}`);
    expect(new Set(told).size).toBe(told.length);
    expect(told).toHaveLength(10);
  }
}

/** The test of one fate at every call: in a file of its own for each, so that both cores have one. */
export function testEveryCall(fate: 'before' | 'after', least: number): void {
  test(`a run ends once, ${fate} whichever AWS call a function dies`, async () => {
    const stack = await TestStack.start();
    const runs = new Runs(stack);
    await runs.prepare();
    await crashEverywhere(stack, fate, isOfRun, least, (aside) => runs.run(aside));
    await stack.close();
  }, 300_000);
}
