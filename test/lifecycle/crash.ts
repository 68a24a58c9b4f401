import { expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { type FunctionCall, TestStack } from '../support/stack.ts';

/** One AWS call of the main job: the n-th one of its kind, such as the second `dispatch UpdateItem`. */
export interface CallSite {
  name: string;
  occurrence: number;
}

/** Within this time the task has ended, whatever happened. */
const boundSeconds = 400;
/** After this nothing may be left: the longest wait is for a task that ECS never showed (15 minutes). */
const cleanSeconds = 1300;

/**
 * The main job, again and again on one stack, with the process of a function dying before or after one of its AWS
 * calls: whichever it is, the task ends once, and nothing is left behind.
 */
class CrashedJobs {
  private readonly stack: TestStack;
  private readonly client: Client;
  private jobs = 0;
  /** The test itself looks, which is not part of the job. */
  private looking = false;

  static async start(): Promise<CrashedJobs> {
    const stack = await TestStack.start();
    stack.fleet.program = (task) => `${task.input}!`;
    const client = new Client(stack);
    await client.putTemplate('echo', { idleTimeoutSeconds: 20 });
    return new CrashedJobs(stack, client);
  }

  private constructor(stack: TestStack, client: Client) {
    this.stack = stack;
    this.client = client;
  }

  close(): Promise<void> {
    return this.stack.close();
  }

  /** Every call that the functions make for one task: those of the sweep come whether there is work or not. */
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
      if (call.function !== 'sweep') sites.push({ name, occurrence });
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
      return died ? undefined : `${site.name} #${site.occurrence} did not come`;
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      return `${fate} ${site.name} #${site.occurrence}: ${reason}`;
    }
  }

  private async run(): Promise<void> {
    const { stack, client } = this;
    const job = ++this.jobs;
    const agent = await this.insist('/v1/agents', { template: 'echo' }, `agent-${job}`);
    const task = await this.insist(`/v1/agents/${agent.id}/tasks`, { input: 'hello' }, `task-${job}`);
    const isDone = async () => (await this.read(`/v1/tasks/${task.id}`)).status === 'succeeded';
    await stack.until(isDone, boundSeconds, 'the answer');
    await stack.until(
      async () => (await this.read(`/v1/agents/${agent.id}`)).status === 'paused',
      boundSeconds,
      'the pause',
    );
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

  private async read(path: string): Promise<Record<string, unknown>> {
    this.looking = true;
    const answer = await this.stack.request('GET', path);
    this.looking = false;
    expect(answer.status).toBe(200);
    return answer.body as Record<string, unknown>;
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
export function testEveryCall(fate: 'before' | 'after'): void {
  test(`the main job ends once, ${fate} whichever AWS call a function dies`, async () => {
    const jobs = await CrashedJobs.start();
    try {
      const sites = await jobs.callSites();
      const functions = [...new Set(sites.map(({ name }) => name.split(' ')[0]))];
      expect(functions).toEqual(expect.arrayContaining(['api', 'record', 'dispatch', 'launch', 'runtime']));
      expect(sites.length).toBeGreaterThan(50);
      const failures: string[] = [];
      for (const site of sites) {
        const failure = await jobs.crashAt(site, fate);
        if (failure) failures.push(failure);
      }
      expect(failures).toEqual([]);
    } finally {
      await jobs.close();
    }
  }, 300_000);
}

function nameOf({ function: name, request }: FunctionCall): string {
  return `${name} ${request.headers['x-amz-target']?.split('.')[1] ?? request.method}`;
}
