import { expect, test } from 'vitest';
import { type FunctionCall, TestStack } from '../support/stack.ts';
import { type RunResource, statuses, WorkflowClient } from '../support/workflow-client.ts';

/** One AWS call of a run: the n-th one of its kind, such as the second `dispatch UpdateItem`. */
interface CallSite {
  name: string;
  occurrence: number;
}

/** Within this time the run has ended, whatever happened. */
const boundSeconds = 300;

/**
 * The same run, again and again on one stack, with the process of a function dying before or after one of its AWS
 * calls: whichever it is, every step ends once, nothing runs twice, and no fresh agent is left.
 */
class CrashedRuns {
  private readonly stack: TestStack;
  private readonly client: WorkflowClient;
  private runs = 0;
  /** The test itself looks, which is not part of the run. */
  private looking = false;
  private asked: string[] = [];
  /** Calls that did not come when they were waited for. */
  missed = 0;

  static async start(): Promise<CrashedRuns> {
    const stack = await TestStack.start();
    const client = new WorkflowClient(stack);
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
    return new CrashedRuns(stack, client);
  }

  private constructor(stack: TestStack, client: WorkflowClient) {
    this.stack = stack;
    this.client = client;
    stack.fleet.program = (task) => {
      this.asked.push(String(task.input));
      return `${String(task.input)}!`;
    };
  }

  close(): Promise<void> {
    return this.stack.close();
  }

  /** Every call that the functions make that bring a run forward. */
  async callSites(): Promise<CallSite[]> {
    // What a function reads once and remembers is read now.
    await this.run();
    const sites: CallSite[] = [];
    const counts = new Map<string, number>();
    this.stack.crash = (call) => {
      if (this.looking) return undefined;
      const name = nameOf(call);
      const occurrence = (counts.get(name) ?? 0) + 1;
      counts.set(name, occurrence);
      if (['dispatch', 'record', 'api'].includes(call.function)) sites.push({ name, occurrence });
      return undefined;
    };
    await this.run();
    return sites;
  }

  /** @returns what went wrong, or undefined */
  async crashAt(site: CallSite, fate: 'before' | 'after'): Promise<string | undefined> {
    let seen = 0;
    let died = false;
    this.stack.crash = (call) => {
      if (died || this.looking || nameOf(call) !== site.name || ++seen !== site.occurrence) return undefined;
      died = true;
      return fate;
    };
    try {
      await this.run();
      // How many nudges a batch of the stream sends depends on how many ends it brings.
      if (!died) this.missed += 1;
      return undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n').slice(0, 12).join(' ') : String(error);
      return `${fate} ${site.name} #${site.occurrence}: ${reason}`;
    }
  }

  private async run(): Promise<void> {
    this.asked = [];
    const { id } = await this.insist(`run-${++this.runs}`);
    await this.stack.until(async () => (await this.read(id)).status !== 'running', boundSeconds, 'the end');
    const run = await this.read(id);
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

  private async read(id: string): Promise<RunResource> {
    this.looking = true;
    const run = await this.client.run(id);
    this.looking = false;
    return run;
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
export function testEveryCall(fate: 'before' | 'after'): void {
  test(`a run ends once, ${fate} whichever AWS call a function dies`, async () => {
    const runs = await CrashedRuns.start();
    try {
      const sites = await runs.callSites();
      expect(sites.filter(({ name }) => name.startsWith('dispatch ')).length).toBeGreaterThan(50);
      const failures: string[] = [];
      for (const site of sites) {
        const failure = await runs.crashAt(site, fate);
        if (failure) failures.push(failure);
      }
      expect(failures).toEqual([]);
      expect(runs.missed).toBeLessThan(5);
    } finally {
      await runs.close();
    }
  }, 300_000);
}

function nameOf({ function: name, request }: FunctionCall): string {
  return `${name} ${request.headers['x-amz-target']?.split('.')[1] ?? request.method}`;
}
