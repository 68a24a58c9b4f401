import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { type Aside, crashEverywhere } from './crash-everywhere.ts';

/** Within this time the task has ended, whatever happened. */
const boundSeconds = 400;
/** After this nothing may be left: the longest wait is for a task that ECS never showed (15 minutes). */
const cleanSeconds = 1300;

/** Calls that are made for a task: those of the sweep come whether there is work or not. */
const isOfJob = (call: FunctionCall) => call.function !== 'sweep';

/** The main job: whichever call a function dies at, the task ends once, and nothing is left behind. */
class Jobs {
  private readonly stack: TestStack;
  private readonly client: Client;
  private jobs = 0;

  constructor(stack: TestStack) {
    this.stack = stack;
    this.client = new Client(stack);
    stack.fleet.program = (task) => `${task.input}!`;
  }

  async run(aside: Aside): Promise<void> {
    const { stack, client } = this;
    const job = ++this.jobs;
    const agent = await this.insist('/v1/agents', { template: 'echo' }, `agent-${job}`);
    const task = await this.insist(`/v1/agents/${agent.id}/tasks`, { input: 'hello' }, `task-${job}`);
    const isDone = async () => (await aside(() => client.task(task.id))).status === 'succeeded';
    await stack.until(isDone, boundSeconds, 'the answer');
    const isPaused = async () => (await aside(() => client.agent(agent.id))).status === 'paused';
    await stack.until(isPaused, boundSeconds, 'the pause');
    await this.expectNothingLeft();
    stack.crash = undefined;
    expect(await client.task(task.id)).toMatchObject({ output: 'hello!', failures: 0 });
    await this.expectOneEnd(agent.id, task.id);
  }

  /** A client that repeats what got no answer, with the same Idempotency-Key. */
  private async insist(path: string, body: unknown, key: string): Promise<{ id: string }> {
    for (let tries = 0; tries < 5; tries++) {
      const answer = await this.stack.request('POST', path, body, { 'idempotency-key': key });
      if (answer.status < 300) return answer.body as { id: string };
      expect(answer.status).toBe(500);
    }
    throw new Error(`${path} was never accepted.`);
  }

  private async expectNothingLeft(): Promise<void> {
    const { stack } = this;
    for (let waited = 0; waited < cleanSeconds; waited += 60) {
      if (stack.fleet.living.length === 0 && (await stack.bells()).length === 0) return;
      await stack.advance(60);
    }
    throw new Error(`${stack.fleet.living.length} containers and ${(await stack.bells()).length} bells are left over.`);
  }

  private async expectOneEnd(agentId: string, taskId: string): Promise<void> {
    const events = await this.client.events(agentId);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, i) => i + 1));
    const ofTask = events.filter((event) => event.taskId === taskId).map((event) => event.type);
    expect(ofTask.filter((type) => type === 'task.queued')).toHaveLength(1);
    expect(ofTask.filter((type) => type === 'task.succeeded')).toHaveLength(1);
  }
}

/** The test of one fate at every call: in a file of its own for each, so that both cores have one. */
export function testEveryCall(fate: 'before' | 'after', least: number): void {
  test(`the main job ends once, ${fate} whichever AWS call a function dies`, async () => {
    const stack = await TestStack.start();
    const jobs = new Jobs(stack);
    await new Client(stack).putTemplate('echo', { idleTimeoutSeconds: 20 });
    const dead = await crashEverywhere(stack, fate, isOfJob, least, (aside) => jobs.run(aside));
    expect([...dead]).toEqual(expect.arrayContaining(['api', 'record', 'dispatch', 'launch', 'runtime']));
    await stack.close();
  }, 300_000);
}
